//! `config show`: every key with its effective value and where that came from.

use serde_json::json;

use super::Config;
use super::problem::Origin;
use crate::words::Lang;

/// Column at which the origin starts, when the value leaves room.
const ORIGIN_COLUMN: usize = 60;

impl Config {
    /// Key, value and origin of all that is set or has a default; secrets show as `***`.
    pub fn shown(&self, lang: Lang) -> impl Iterator<Item = (&str, String, String)> {
        let set = self.settings.iter().filter(|setting| !setting.value.is_null());
        set.map(move |s| (s.path.as_str(), s.value.to_string(), s.origin.text(lang)))
    }

    /// All keys, one a line as `key = value  # origin`, or as a JSON array of
    /// `{key, value, origin}`. Secrets show as `***`; keys that are not set and have no
    /// default are left out of the text and `null` in the JSON.
    pub fn show(&self, json: bool, lang: Lang) -> String {
        if json { self.show_json() } else { self.show_text(lang) }
    }

    fn show_text(&self, lang: Lang) -> String {
        let mut text = match &self.file {
            Some(file) => format!("# {}\n", file.display()),
            None => lang.either("# 没有文件\n", "# no file\n").to_owned(),
        };
        for (key, value, origin) in self.shown(lang) {
            let line = format!("{key} = {value}");
            text.push_str(&format!("{line:ORIGIN_COLUMN$} # {origin}\n"));
        }
        text
    }

    fn show_json(&self) -> String {
        let file = self.file.as_ref().map(|file| file.display().to_string());
        let entries = self.settings.iter().map(|setting| {
            let origin = match &setting.origin {
                Origin::Default => json!({ "from": "default" }),
                Origin::File(place) => {
                    json!({ "from": "file", "line": place.line, "column": place.column })
                }
                Origin::Env { variable, dotenv } => {
                    json!({ "from": "env", "variable": variable, "dotenv": dotenv })
                }
                Origin::Flag(flag) => json!({ "from": "flag", "flag": flag }),
            };
            json!({ "key": setting.path, "value": setting.value, "origin": origin })
        });
        let settings: Vec<serde_json::Value> = entries.collect();
        format!("{:#}\n", json!({ "file": file, "settings": settings }))
    }
}
