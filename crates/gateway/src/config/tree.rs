//! The configuration as one tree of values that remember where they came from.
//!
//! The file makes the tree, the environment and the command line are laid over it, and only
//! then is it decoded: so a value from a variable meets the same checks as one from the file.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::problem::{Class, Origin, Place, Problem};
use crate::both::{Both, both};

/// A value and where it came from.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// What TOML can say.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Integer(i128),
    Float,
    Boolean(bool),
    DateTime,
    List(Vec<Node>),
    Table(Table),
}

/// A table: each key with its own place, and its value.
pub(super) type Table = BTreeMap<String, Entry>;

/// One key of a table.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Where the key stands.
    pub(super) key: Origin,
    /// Its value.
    pub(super) node: Node,
}

impl Node {
    /// What `path` can be set in: a list when it starts with a number, else a table.
    fn empty(path: &[&str], origin: &Origin) -> Self {
        let numbered = path.first().is_some_and(|segment| segment.parse::<usize>().is_ok());
        let value = if numbered { Value::List(Vec::new()) } else { Value::Table(Table::new()) };
        Self { value, origin: origin.clone() }
    }

    /// The text in it.
    pub(super) fn as_text(&self) -> Option<&str> {
        if let Value::Text(text) = &self.value { Some(text) } else { None }
    }

    /// The text in it, where TOML's types do not exist: from a variable or a flag, a text may
    /// mean a number, a list, or true and false.
    pub(super) fn as_bare_text(&self) -> Option<&str> {
        self.as_text().filter(|_| matches!(self.origin, Origin::Env { .. } | Origin::Flag(_)))
    }

    /// The list in it.
    pub(super) fn as_list(&self) -> Option<&[Self]> {
        if let Value::List(items) = &self.value { Some(items) } else { None }
    }

    /// The table in it.
    pub(super) fn as_table(&self) -> Option<&Table> {
        if let Value::Table(table) = &self.value { Some(table) } else { None }
    }
}

impl Value {
    /// The type's name with its article, for messages.
    pub(super) fn type_name(&self) -> Both {
        let (zh, en) = match self {
            Self::Text(_) => ("字符串", "a string"),
            Self::Integer(_) => ("整数", "an integer"),
            Self::Float => ("小数", "a float"),
            Self::Boolean(_) => ("布尔值", "a boolean"),
            Self::DateTime => ("日期", "a date"),
            Self::List(_) => ("列表", "a list"),
            Self::Table(_) => ("表", "a table"),
        };
        Both::of(zh, en)
    }
}

/// Reads TOML; what can be read of a broken file is in the tree, the rest in the problems.
pub(super) fn parse(text: &str) -> (Node, Vec<Problem>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let problems = errors.into_iter().map(|error| Problem {
        path: String::new(),
        message: both!(zh: "TOML 语法错误：{error}", en: "{error}", error = error.message()),
        hint: None,
        origin: Origin::File(Place::new(text, error.span().unwrap_or(0..0))),
        class: Class::Syntax,
    });
    let origin = Origin::File(Place::new(text, 0..0));
    let root = Node { value: Value::Table(convert_table(text, table.get_ref())), origin };
    (root, problems.collect())
}

fn convert_table(text: &str, table: &DeTable<'_>) -> Table {
    table
        .iter()
        .map(|(key, value)| {
            let place = Origin::File(Place::new(text, key.span()));
            let entry = Entry { key: place, node: convert(text, value.get_ref(), value.span()) };
            (key.get_ref().to_string(), entry)
        })
        .collect()
}

fn convert(text: &str, value: &DeValue<'_>, span: std::ops::Range<usize>) -> Node {
    let origin = Origin::File(Place::new(text, span));
    let value = match value {
        DeValue::String(s) => Value::Text(s.to_string()),
        // TOML's integers end at 64 bits; a longer one fails every range check.
        DeValue::Integer(i) => {
            Value::Integer(i128::from_str_radix(i.as_str(), i.radix()).unwrap_or(i128::MAX))
        }
        DeValue::Float(_) => Value::Float,
        DeValue::Boolean(b) => Value::Boolean(*b),
        DeValue::Datetime(_) => Value::DateTime,
        DeValue::Array(items) => {
            Value::List(items.iter().map(|i| convert(text, i.get_ref(), i.span())).collect())
        }
        DeValue::Table(table) => Value::Table(convert_table(text, table)),
    };
    Node { value, origin }
}

/// Sets `path` to a text, making tables and lists on the way. A segment that is a number
/// counts the entries of a list from 0; one beyond its end adds an entry. Names match whatever
/// their case and whether they have `-` or `_`, because a variable's name cannot say either.
pub(super) fn set(node: &mut Node, path: &[&str], text: &str, origin: &Origin) {
    let Some((segment, rest)) = path.split_first() else {
        *node = Node { value: Value::Text(text.to_owned()), origin: origin.clone() };
        return;
    };
    match (&mut node.value, segment.parse::<usize>()) {
        (Value::List(items), Ok(index)) => {
            let index = index.min(items.len());
            if index == items.len() {
                items.push(Node::empty(rest, origin));
            }
            set(&mut items[index], rest, text, origin);
        }
        (Value::Table(table), _) => {
            let known = table.keys().find(|key| folded(key) == folded(segment)).cloned();
            let name = known.unwrap_or_else(|| segment.to_ascii_lowercase());
            let fresh = || Entry { key: origin.clone(), node: Node::empty(rest, origin) };
            set(&mut table.entry(name).or_insert_with(fresh).node, rest, text, origin);
        }
        _ => {
            *node = Node::empty(path, origin);
            set(node, path, text, origin);
        }
    }
}

/// As [`set`], but leaves a value alone that is there already.
pub(super) fn set_if_absent(root: &mut Node, path: &[&str], text: &str, origin: &Origin) {
    let found =
        path.iter().try_fold(&*root, |node, segment| Some(&node.as_table()?.get(*segment)?.node));
    if found.is_none() {
        set(root, path, text, origin);
    }
}

fn folded(name: &str) -> String {
    name.to_ascii_lowercase().replace('-', "_")
}
