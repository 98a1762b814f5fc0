// Two audits of what is drawn now: contrast (WCAG AA), and names for those who do not see.

/** Texts whose contrast with what is behind them is too low. */
export function contrast(page) {
  return page.evaluate(() => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const rgba = (colour) => {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
      return [r, g, b, a / 255];
    };
    const over = ([r, g, b, a], [x, y, z]) => [r * a + x * (1 - a), g * a + y * (1 - a), b * a + z * (1 - a), 1];
    const luminance = ([r, g, b]) => {
      const linear = [r, g, b].map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
      return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
    };
    const behind = (node) => {
      const layers = [];
      for (let at = node; at; at = at.parentElement) layers.push(rgba(getComputedStyle(at).backgroundColor));
      return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255, 1]);
    };
    const low = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let text = walker.nextNode(); text; text = walker.nextNode()) {
      const node = text.parentElement;
      if (!text.data.trim() || !node.checkVisibility({ opacityProperty: true, visibilityProperty: true }) || node.closest(":disabled, .avatar, option, script, noscript")) continue;
      const style = getComputedStyle(node);
      const ground = behind(node);
      const [light, dark] = [luminance(over(rgba(style.color), ground)), luminance(ground)].sort((a, b) => b - a);
      const ratio = (light + 0.05) / (dark + 0.05);
      const size = parseFloat(style.fontSize);
      const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
      if (ratio < (large ? 3 : 4.5)) low.push(`${ratio.toFixed(2)} ${node.className || node.tagName}: ${text.data.trim().slice(0, 30)}`);
    }
    return [...new Set(low)];
  });
}

/** Controls without a name, images without a word, ids that are there twice. */
export function labels(page) {
  return page.evaluate(() => {
    const wrong = [];
    const named = (node) => node.getAttribute("aria-label") || node.textContent.trim() || node.labels?.length || node.title;
    for (const node of document.querySelectorAll("button, a[href], input:not([type=hidden]), select, textarea, [role=log], [role=listbox], [role=radiogroup], dialog[open], nav, aside")) {
      if (node.closest("[hidden], .hidden") || node.matches(".hidden")) continue;
      if (!named(node)) wrong.push(`no name: ${node.outerHTML.slice(0, 90)}`);
    }
    for (const image of document.querySelectorAll("img")) if (!image.hasAttribute("alt")) wrong.push(`no alt: ${image.src}`);
    const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
    for (const id of new Set(ids)) if (ids.filter((other) => other === id).length > 1) wrong.push(`twice: #${id}`);
    for (const node of document.querySelectorAll("[aria-describedby], [aria-labelledby]")) {
      for (const id of `${node.getAttribute("aria-describedby") ?? ""} ${node.getAttribute("aria-labelledby") ?? ""}`.trim().split(/\s+/)) {
        if (!document.getElementById(id)) wrong.push(`points nowhere: #${id}`);
      }
    }
    if (document.querySelectorAll("main").length !== 1 || !document.documentElement.lang) wrong.push("no main, or no language");
    return wrong;
  });
}
