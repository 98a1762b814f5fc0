//! Wrong usage, told in Chinese; the English words are clap's own.
//!
//! Clap says what is wrong as a kind and a few named values, of which the sentences here are made.
//! Of a kind that nobody has seen yet, the first line of clap's own words stands behind Chinese ones.

use std::error::Error as _;
use std::net::AddrParseError;
use std::num::{IntErrorKind, ParseFloatError, ParseIntError};
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, Error};
use larkline_gateway::words::Lang;

use crate::exit::ExitStatus;
use crate::lang::lang;
use crate::{help, output};

/// How clap begins the line of the usage.
const USAGE: &str = "Usage: ";

/// Tells what is wrong, or prints the help that was asked for; the exit code is clap's.
pub(crate) fn told(error: &Error) -> ExitCode {
    if lang() == Lang::En || is_asked_for(error.kind()) {
        let printed = error.print();
        // The other words go to stderr, where nobody waits for data.
        if let Some(error) = printed.err().filter(|_| is_asked_for(error.kind())) {
            output::lost(error);
        }
    } else {
        output::note(&in_chinese(error));
    }
    if !output::is_complete() {
        return ExitStatus::Yours.into();
    }
    u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
}

/// Help and versions are no errors, and have their language already.
fn is_asked_for(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
            | ErrorKind::DisplayVersion
    )
}

fn in_chinese(error: &Error) -> String {
    let what = what(error).unwrap_or_else(|| format!("命令行写法有误：{}", words_of_clap(error)));
    let mut lines = vec![format!("错误：{what}")];
    lines.extend(suggestions(error).into_iter().map(|text| format!("  建议：{text}")));
    let usage = value(error, ContextKind::Usage).unwrap_or_default();
    let usage = usage.trim().trim_start_matches(USAGE);
    if !usage.is_empty() {
        let usage = usage.replace("[OPTIONS]", "[选项]");
        lines.push(format!("用法：{usage}"));
    }
    let command = command_named(usage).unwrap_or_else(command_meant);
    lines.push(format!("下一步：运行 `{command} --help`，查看它的参数和写法"));
    lines.join("\n")
}

/// What is wrong, where the kind is known and clap has given what it takes.
fn what(error: &Error) -> Option<String> {
    let arg = || value(error, ContextKind::InvalidArg);
    let given = || value(error, ContextKind::InvalidValue);
    let number = |kind| value(error, kind);
    Some(match error.kind() {
        ErrorKind::UnknownArgument => format!("没有参数 '{}'", arg()?),
        ErrorKind::InvalidSubcommand => {
            format!("没有子命令 '{}'", value(error, ContextKind::InvalidSubcommand)?)
        }
        ErrorKind::MissingSubcommand => {
            let valid = listed("子命令", error, ContextKind::ValidSubcommand);
            format!("'{}' 需要一个子命令{valid}", value(error, ContextKind::InvalidSubcommand)?)
        }
        ErrorKind::InvalidValue => {
            let valid = listed("可以是", error, ContextKind::ValidValue);
            match given()? {
                none if none.is_empty() => format!("'{}' 需要一个值{valid}", arg()?),
                given => format!("'{}' 的值 '{given}' 无效{valid}", arg()?),
            }
        }
        ErrorKind::ValueValidation => {
            format!("'{}' 的值 '{}' 无效：{}", arg()?, given()?, reason(error))
        }
        ErrorKind::MissingRequiredArgument => {
            format!("缺少必需的参数：{}", strings(error, ContextKind::InvalidArg)?.join("、"))
        }
        ErrorKind::ArgumentConflict => conflict(error)?,
        ErrorKind::NoEquals => format!("'{}' 的值要用等号给出", arg()?),
        ErrorKind::TooManyValues => format!("'{}' 不再接受更多的值，多了 '{}'", arg()?, given()?),
        ErrorKind::TooFewValues => {
            let (least, there) =
                (number(ContextKind::MinValues)?, number(ContextKind::ActualNumValues)?);
            format!("'{}' 至少需要 {least} 个值，只给了 {there} 个", arg()?)
        }
        ErrorKind::WrongNumberOfValues => {
            let (wanted, there) =
                (number(ContextKind::ExpectedNumValues)?, number(ContextKind::ActualNumValues)?);
            format!("'{}' 需要 {wanted} 个值，给了 {there} 个", arg()?)
        }
        ErrorKind::InvalidUtf8 => "有参数不是有效的 UTF-8".to_owned(),
        // The list is open: what clap adds keeps clap's words.
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
        | ErrorKind::DisplayVersion
        | ErrorKind::Io
        | ErrorKind::Format
        | _ => return None,
    })
}

/// Two arguments that do not go together, or one that is there twice.
fn conflict(error: &Error) -> Option<String> {
    let prior = strings(error, ContextKind::PriorArg).unwrap_or_default();
    let Some(arg) = value(error, ContextKind::InvalidArg) else {
        let below = value(error, ContextKind::InvalidSubcommand)?;
        return Some(format!("子命令 '{below}' 不能与其他参数同时使用：{}", prior.join("、")));
    };
    Some(match prior.as_slice() {
        [prior] if *prior == arg => format!("参数 '{arg}' 不能多次使用"),
        [] => format!("参数 '{arg}' 不能与其他参数同时使用"),
        prior => format!("参数 '{arg}' 不能与 '{}' 同时使用", prior.join("'、'")),
    })
}

/// Why a value is refused: our own parsers speak the language, the others are known by their type.
fn reason(error: &Error) -> String {
    let Some(source) = error.source() else { return "写法有误".to_owned() };
    if let Some(error) = source.downcast_ref::<ParseIntError>() {
        return no_integer(error.kind()).to_owned();
    }
    if source.is::<ParseFloatError>() {
        return "应为数字".to_owned();
    }
    if source.is::<AddrParseError>() {
        return "应为 IP 地址和端口，例如 127.0.0.1:7800".to_owned();
    }
    if source.is::<url::ParseError>() {
        return format!("应为网址，例如 https://example.com（{source}）");
    }
    let text = source.to_string();
    match text.split_once(" is not in ") {
        Some((given, range)) => format!("{given} 不在 {range} 的范围内"),
        None => text,
    }
}

fn no_integer(why: &IntErrorKind) -> &'static str {
    match why {
        IntErrorKind::PosOverflow => "数字过大",
        IntErrorKind::NegOverflow => "数字过小",
        IntErrorKind::Empty => "缺少数字",
        IntErrorKind::InvalidDigit | IntErrorKind::Zero | _ => "应为整数",
    }
}

fn suggestions(error: &Error) -> Vec<String> {
    let near = [
        ("子命令", ContextKind::SuggestedSubcommand),
        ("参数", ContextKind::SuggestedArg),
        ("值", ContextKind::SuggestedValue),
    ];
    let near = near.into_iter().filter_map(|(what, kind)| {
        let there = strings(error, kind).filter(|there| !there.is_empty())?;
        let there: Vec<String> = there.iter().map(|name| format!("'{name}'")).collect();
        Some(format!("有相近的{what} {}", there.join("、")))
    });
    let more = strings(error, ContextKind::Suggested).unwrap_or_default();
    near.chain(more.iter().map(|text| suggestion(text))).collect()
}

/// A suggestion that clap has as a sentence: the three that there are, by what is quoted in them.
fn suggestion(text: &str) -> String {
    let quoted: Vec<&str> = text.split('\'').skip(1).step_by(2).collect();
    match quoted.as_slice() {
        [arg, line] if text.starts_with("to pass ") => {
            format!("要把 '{arg}' 作为值，请写 '{line}'")
        }
        [below, _] if text.starts_with("subcommand ") => {
            format!("有子命令 '{below}'；要用它，请去掉前面的 '--'")
        }
        [there] if text.ends_with(" exists") => format!("有 '{there}'"),
        _ => format!("clap 的提示：{text}"),
    }
}

/// The command that the usage is of: its words before the first argument.
fn command_named(usage: &str) -> Option<String> {
    let is_name = |word: &&str| word.starts_with(|first: char| first.is_ascii_lowercase());
    let names: Vec<&str> = usage.split_whitespace().take_while(is_name).collect();
    (!names.is_empty()).then(|| names.join(" "))
}

/// The command that this process was called for, where clap gives no usage.
fn command_meant() -> String {
    let words: Vec<String> =
        std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    deepest(&help::command(), &words)
}

/// The names of commands among the words, each below the one before; the value of a flag is none.
fn deepest(root: &Command, words: &[String]) -> String {
    let (mut command, mut above) = (root, Vec::new());
    let mut words = words.iter().take_while(|word| *word != "--");
    while let Some(word) = words.next() {
        if let Some(below) = command.find_subcommand(word) {
            above.push(command);
            command = below;
        } else if is_value_next(command, &above, word) {
            words.next();
        }
    }
    let path = above.into_iter().chain([command]);
    path.map(Command::get_name).collect::<Vec<_>>().join(" ")
}

/// Whether the word is a flag, of the command or for all below one above it, whose value comes next.
fn is_value_next(command: &Command, above: &[&Command], word: &str) -> bool {
    let global = above.iter().flat_map(|above| above.get_arguments());
    let known = command.get_arguments().chain(global.filter(|flag| flag.is_global_set()));
    let mut valued = known.filter(|flag| flag.get_action().takes_values());
    if let Some(long) = word.strip_prefix("--") {
        return valued.any(|flag| flag.get_long() == Some(long));
    }
    let Some(cluster) = word.strip_prefix('-') else { return false };
    let shorts: Vec<char> = valued.filter_map(Arg::get_short).collect();
    // What stands behind the letter of such a flag is its value already.
    cluster.find(|letter| shorts.contains(&letter)).is_some_and(|at| cluster[at..].len() == 1)
}

fn listed(what: &str, error: &Error, kind: ContextKind) -> String {
    let values = strings(error, kind).unwrap_or_default();
    if values.is_empty() { String::new() } else { format!("；{what}：{}", values.join("、")) }
}

fn value(error: &Error, kind: ContextKind) -> Option<String> {
    error.get(kind).map(ToString::to_string)
}

fn strings(error: &Error, kind: ContextKind) -> Option<Vec<String>> {
    let value = error.get(kind)?;
    if let ContextValue::Strings(list) = value {
        return Some(list.clone());
    }
    if let ContextValue::StyledStrs(list) = value {
        return Some(list.iter().map(ToString::to_string).collect());
    }
    Some(vec![value.to_string()])
}

/// The first line of clap's own words.
fn words_of_clap(error: &Error) -> String {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    first.trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use clap::ArgAction;

    use super::*;

    fn refused(command: Command, args: &[&str]) -> String {
        let args = std::iter::once(&"larkline").chain(args);
        in_chinese(&command.try_get_matches_from(args).unwrap_err())
    }

    /// Kinds that no argument of ours can raise today, but one of tomorrow.
    #[test]
    fn counts_of_values_and_equal_signs_are_told_too() {
        let pair = || {
            let pair = Arg::new("pair").long("pair").action(ArgAction::Append);
            Command::new("larkline").arg(pair.num_args(2))
        };
        let told = refused(pair(), &["--pair", "a"]);
        assert!(
            told.starts_with("错误：'--pair <pair> <pair>' 需要 2 个值，给了 1 个\n"),
            "{told}"
        );
        let some = Arg::new("some").long("some").num_args(2..);
        let told = refused(Command::new("larkline").arg(some), &["--some", "a"]);
        assert!(told.contains(" 至少需要 2 个值，只给了 1 个\n"), "{told}");
        let equals = Arg::new("eq").long("eq").require_equals(true);
        let told = refused(Command::new("larkline").arg(equals), &["--eq", "a"]);
        assert!(told.starts_with("错误：'--eq=<eq>' 的值要用等号给出\n"), "{told}");
        let flag = Arg::new("flag").long("flag").action(ArgAction::SetTrue);
        let told = refused(Command::new("larkline").arg(flag), &["--flag=a"]);
        assert!(told.starts_with("错误：'--flag' 不再接受更多的值，多了 'a'\n"), "{told}");
    }

    #[test]
    fn a_command_without_the_one_below_it_and_a_broken_text_are_told_too() {
        let below = Command::new("larkline").subcommand_required(true);
        let told = refused(below.subcommand(Command::new("run")), &[]);
        assert!(told.starts_with("错误：'larkline' 需要一个子命令；子命令：run、help\n"), "{told}");
        let told = in_chinese(&Error::new(ErrorKind::InvalidUtf8));
        assert!(told.starts_with("错误：有参数不是有效的 UTF-8\n"), "{told}");
    }

    #[test]
    fn a_kind_that_is_not_known_keeps_the_words_of_clap_in_a_chinese_line() {
        let error = Error::raw(ErrorKind::Io, "the disk is gone\n");
        let told = in_chinese(&error);
        assert!(told.starts_with("错误：命令行写法有误：the disk is gone\n"), "{told}");
        assert!(told.ends_with("下一步：运行 `larkline --help`，查看它的参数和写法"), "{told}");
    }

    #[test]
    fn the_help_that_is_pointed_at_is_that_of_the_command_that_was_meant() {
        let meant = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            deepest(&help::command(), &words)
        };
        assert_eq!(meant("service logs --lines x"), "larkline service logs");
        assert_eq!(meant("--format yaml status"), "larkline status");
        assert_eq!(meant("job run --memory x -- status"), "larkline job run");
        assert_eq!(meant("--format"), "larkline");
        assert_eq!(meant("-c run status --every soon"), "larkline status");
        assert_eq!(meant("--config run status --every soon"), "larkline status");
        assert_eq!(meant("service -c logs status --every soon"), "larkline service status");
        assert_eq!(meant("-crun --format=json status"), "larkline status");
        assert_eq!(meant("service --name logs logs"), "larkline service logs");
    }

    #[test]
    fn suggestions_of_clap_are_known_by_what_they_quote() {
        let said = "to pass '--x' as a value, use '-- --x'";
        assert_eq!(suggestion(said), "要把 '--x' 作为值，请写 '-- --x'");
        assert_eq!(suggestion("'send --key' exists"), "有 'send --key'");
        assert_eq!(
            suggestion("subcommand 'send' exists; to use it, remove the '--' before it"),
            "有子命令 'send'；要用它，请去掉前面的 '--'"
        );
        assert_eq!(suggestion("think again"), "clap 的提示：think again");
    }
}
