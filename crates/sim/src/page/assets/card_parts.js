// The elements of cards, 2.0 and the common ones of 1.0. One that is not known is named in a box.

import { el } from "./dom.js";
import { t } from "./i18n.js";
import { inline, markdown, picture, mention } from "./markdown.js";

/** The words of a text object, or of a text. */
export function plain(text) {
  if (typeof text === "string") return text;
  return text?.content ?? "";
}

export function summaryOf(list) {
  for (const element of Array.isArray(list) ? list : []) {
    const words = plain(element?.text) || plain(element?.content) || summaryOf(element?.elements ?? element?.columns);
    if (words) return words.replace(/[*_`#>~]/g, "").split("\n")[0];
  }
  return "";
}

export function elements(list, context) {
  return (Array.isArray(list) ? list : []).map((element) => {
    const make = PARTS[element?.tag];
    return make ? make(element, context) : el("div", { class: "unknown", text: t("unknown_element", { tag: element?.tag ?? "?" }) });
  });
}

/** A text object: plain, or Markdown. */
function words(text) {
  if (typeof text === "string") return [text];
  if (text?.tag === "lark_md" || text?.tag === "markdown") return inline(plain(text));
  return [plain(text)];
}

const PARTS = {
  markdown: (e) => el("div", { class: `md${e.text_align === "center" ? " centred" : ""}${e.text_size === "notation" ? " small" : ""}` }, markdown(e.content ?? "")),
  div: (e, context) => el("div", { class: "md div" },
    el("div", { class: "div-main" },
      e.text ? (e.text.tag === "lark_md" ? markdown(plain(e.text)) : el("p", { text: plain(e.text) })) : null,
      e.fields ? el("div", { class: "fields" }, e.fields.map((f) => el("div", { class: f.is_short ? "field short" : "field" }, f.text?.tag === "lark_md" ? markdown(plain(f.text)) : plain(f.text)))) : null),
    e.extra ? elements([e.extra], context) : null),
  plain_text: (e) => el("p", { text: plain(e) }),
  lark_md: (e) => el("div", { class: "md" }, markdown(plain(e))),
  hr: () => el("hr"),
  note: (e, context) => el("div", { class: "note" }, (e.elements ?? []).map((part) =>
    part.tag === "plain_text" || part.tag === "lark_md" ? el("span", {}, words(part)) : elements([part], context))),
  img: (e) => el("figure", { class: "figure" }, picture(e.img_key ?? e.image_key ?? "", plain(e.alt)), plain(e.title) ? el("figcaption", { text: plain(e.title) }) : null),
  column_set: (e, context) => el("div", { class: `columns${e.flex_mode === "stretch" || e.flex_mode === "flow" ? " flow" : ""}${e.background_style && e.background_style !== "default" ? " filled" : ""}` },
    elements((e.columns ?? []).map((column) => ({ tag: "column", ...column })), context)),
  column: (e, context) => {
    const node = el("div", { class: `column${e.background_style && e.background_style !== "default" ? " filled" : ""}` }, elements(e.elements ?? [], context));
    if (e.width === "auto") node.classList.add("auto");
    else node.style.flexGrow = String(Math.min(Math.max(Number(e.weight) || 1, 1), 5));
    return node;
  },
  action: (e, context) => el("div", { class: "actions" }, elements(e.actions ?? [], context)),
  button,
  overflow: (e, context) => el("div", { class: "actions" }, (e.options ?? []).map((option) =>
    button({ ...e, text: option.text, value: option.value, option: option.value, tag: "overflow" }, context))),
  collapsible_panel: (e, context) => el("details", { class: "fold", open: e.expanded === true },
    el("summary", {}, words(e.header?.title)), el("div", { class: "fold-body" }, elements(e.elements ?? [], context))),
  interactive_container: (e, context) => el("div", { class: "boxed" }, elements(e.elements ?? [], context)),
  form: (e, context) => {
    const fields = new Map();
    return el("form", { class: "form", "aria-label": e.name ?? t("form"), on: { submit: (event) => event.preventDefault() } }, elements(e.elements ?? [], { ...context, form: fields }));
  },
  input: (e, context) => field(e, context, el("input", { class: "field-input", type: "text", maxlength: e.max_length, placeholder: plain(e.placeholder), value: e.default_value ?? "" }), "input_value"),
  select_static: (e, context) => select(e, context, false),
  multi_select_static: (e, context) => select(e, context, true),
  date_picker: (e, context) => field(e, context, el("input", { class: "field-input", type: "date", value: e.initial_date ?? "" }), "option", (date) => date && `${date} ${zone()}`),
  picker_time: (e, context) => field(e, context, el("input", { class: "field-input", type: "time", value: e.initial_time ?? "" }), "option"),
  checker: (e, context) => {
    const box = el("input", { type: "checkbox" });
    box.checked = e.checked === true;
    if (context.form && e.name) context.form.set(e.name, () => box.checked);
    else box.addEventListener("change", () => context.act({ tag: "checker", value: valueOf(e), checked: box.checked, name: e.name }));
    return el("label", { class: "checker" }, box, el("span", {}, words(e.text)));
  },
  table: (e) => {
    const columns = e.columns ?? [];
    const cell = (row, column) => {
      const value = row[column.name];
      const list = Array.isArray(value) ? value : [value];
      return list.map((one) => (one && typeof one === "object" ? el("span", { class: `tag tag-${one.color ?? "grey"}`, text: one.text ?? "" }) : column.data_type === "lark_md" || column.data_type === "markdown" ? inline(String(one ?? "")) : String(one ?? "")));
    };
    return el("div", { class: "table", tabindex: "0" }, el("table", {},
      el("thead", {}, el("tr", {}, columns.map((c) => el("th", { text: c.display_name ?? c.name })))),
      el("tbody", {}, (e.rows ?? []).map((row) => el("tr", {}, columns.map((c) => el("td", {}, cell(row, c))))))));
  },
  person: (e) => mention(e.user_id ?? "?", ""),
  person_list: (e) => el("div", { class: "actions" }, (e.persons ?? []).map((p) => mention(p.id ?? "?", ""))),
};

/** What a press sends: 2.0 says it in behaviours, 1.0 in the element itself. */
function valueOf(e) {
  const callback = (e.behaviors ?? []).find((behaviour) => behaviour.type === "callback");
  return callback?.value ?? e.value ?? {};
}

function button(e, context) {
  const opens = (e.behaviors ?? []).find((behaviour) => behaviour.type === "open_url");
  const href = opens?.default_url ?? opens?.url ?? e.url ?? e.multi_url?.url;
  const kind = String(e.type ?? "default").replace(/_(text|filled)$/, "");
  const style = `card-button ${["primary", "danger"].includes(kind) ? kind : "default"}${e.width === "fill" ? " wide" : ""}`;
  if (href && /^https?:\/\//i.test(href)) return el("a", { class: style, href, target: "_blank", rel: "noopener noreferrer" }, words(e.text));
  const press = async (event) => {
    const pressed = event.currentTarget;
    if (e.confirm && !(await confirmed(pressed, e.confirm))) return;
    if (e.form_action_type === "reset") return pressed.closest("form").reset();
    const action = { tag: e.tag ?? "button", value: valueOf(e), name: e.name };
    if (e.option !== undefined) action.option = e.option;
    if (context.form && e.form_action_type === "submit") action.form_value = Object.fromEntries([...context.form].map(([name, read]) => [name, read()]));
    pressed.classList.add("busy");
    await context.act(action);
    pressed.classList.remove("busy");
  };
  return el("button", { type: "button", class: style, disabled: e.disabled === true, data: { key: `b-${context.message.id}-${plain(e.text)}` }, on: { click: press } }, words(e.text));
}

/** Asks beside the button; a dialog would hide what is asked about. */
function confirmed(near, { title, text }) {
  return new Promise((answer) => {
    const done = (yes) => () => {
      box.remove();
      near.focus();
      answer(yes);
    };
    const yes = el("button", { type: "button", class: "card-button primary", on: { click: done(true) } }, t("yes"));
    const no = el("button", { type: "button", class: "card-button default", on: { click: done(false) } }, t("no"));
    const box = el("div", { class: "confirm", role: "alertdialog", "aria-label": plain(title) || t("sure") }, el("strong", { text: plain(title) || t("sure") }), el("p", { text: plain(text) }), el("div", { class: "actions" }, yes, no));
    near.after(box);
    yes.focus();
  });
}

/** The offset of this place, as the platform writes it behind a date. */
function zone() {
  const minutes = -new Date().getTimezoneOffset();
  const two = (n) => String(Math.trunc(Math.abs(n))).padStart(2, "0");
  return `${minutes < 0 ? "-" : "+"}${two(minutes / 60)}${two(minutes % 60)}`;
}

function field(e, context, input, member, sent = (value) => value) {
  const label = plain(e.label);
  if (!label) input.setAttribute("aria-label", plain(e.placeholder) || e.name || t("input"));
  if (context.form && e.name) context.form.set(e.name, () => sent(input.value));
  else input.addEventListener("change", () => context.act({ tag: e.tag, value: valueOf(e), name: e.name, [member]: sent(input.value) }));
  return el("label", { class: "field-label" }, label ? el("span", { text: label }) : null, input);
}

function select(e, context, many) {
  const options = (e.options ?? []).map((option) => el("option", { value: option.value, text: plain(option.text) || option.value }));
  const empty = many || e.initial_option ? [] : [el("option", { value: "", text: plain(e.placeholder) || t("choose") })];
  const input = el("select", { class: "field-input", multiple: many }, empty, options);
  if (e.initial_option) input.value = e.initial_option;
  const chosen = () => (many ? [...input.selectedOptions].map((option) => option.value) : input.value);
  input.setAttribute("aria-label", plain(e.label) || plain(e.placeholder) || e.name || t("choose"));
  if (context.form && e.name) context.form.set(e.name, chosen);
  else input.addEventListener("change", () => context.act({ tag: e.tag, value: valueOf(e), name: e.name, [many ? "options" : "option"]: chosen() }));
  return el("span", { class: "field-label" }, input);
}
