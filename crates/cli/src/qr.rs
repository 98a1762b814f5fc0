//! A QR code in a terminal: two modules a character, by half blocks.
//!
//! Black on white is written out, whatever the terminal's colours are: a code with the terminal's own
//! is inverted on a dark one, and many cameras do not read that. So it is no decoration, and `NO_COLOR`
//! does not change it.

use std::io::IsTerminal as _;

use qrcode::{Color, EcLevel, QrCode};

/// White around a code, in modules: what the standard asks for, and what cameras still read.
const QUIET: [usize; 2] = [4, 2];
/// Width of a terminal that does not tell.
const COLUMNS: usize = 80;
/// Black on bright white, and back.
const ON: &str = "\u{1b}[30;107m";
const OFF: &str = "\u{1b}[0m";

/// The code for the terminal that stderr is; `None` when it is none, or too narrow.
pub(crate) fn for_stderr(text: &str) -> Option<String> {
    let plain = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    if plain || !std::io::stderr().is_terminal() {
        return None;
    }
    let told = rustix::termios::tcgetwinsize(std::io::stderr()).ok();
    let columns = told.map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0);
    draw(text, columns.unwrap_or(COLUMNS))
}

/// The code in so many columns; `None` when it does not fit.
fn draw(text: &str, columns: usize) -> Option<String> {
    // The least redundancy: a screen has no scratches, and a smaller code fits more terminals.
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    let width = code.width();
    let quiet = QUIET.into_iter().find(|quiet| width + 2 * quiet <= columns)?;
    let side = width + 2 * quiet;
    let colors = code.to_colors();
    let dark = |x: usize, y: usize| {
        let inside = |n: usize| (quiet..quiet + width).contains(&n);
        inside(x) && inside(y) && colors[(y - quiet) * width + x - quiet] == Color::Dark
    };
    let line = |y: usize| -> String {
        let cell = |x: usize| match (dark(x, y), dark(x, y + 1)) {
            (true, true) => '█',
            (true, false) => '▀',
            (false, true) => '▄',
            (false, false) => ' ',
        };
        let cells: String = (0..side).map(cell).collect();
        format!("{ON}{cells}{OFF}")
    };
    Some((0..side).step_by(2).map(line).collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The dark modules of a drawing, by rows.
    fn modules(drawing: &str) -> Vec<Vec<bool>> {
        let mut rows = Vec::new();
        for line in drawing.lines() {
            let cells = line.strip_prefix(ON).unwrap().strip_suffix(OFF).unwrap();
            rows.push(cells.chars().map(|c| matches!(c, '█' | '▀')).collect());
            rows.push(cells.chars().map(|c| matches!(c, '█' | '▄')).collect());
        }
        rows
    }

    #[test]
    fn a_drawing_is_the_code_with_white_around_it() {
        let text = "https://accounts.feishu.cn/page/launcher?user_code=AB12CD34&from=sdk";
        let rows = modules(&draw(text, 120).unwrap());
        let code = QrCode::with_error_correction_level(text, EcLevel::L).unwrap();
        let width = code.width();
        let expected = |x: usize, y: usize| code[(x, y)] == Color::Dark;
        for (y, row) in rows.iter().enumerate() {
            assert_eq!(row.len(), width + 8);
            for (x, dark) in row.iter().enumerate() {
                let inside = (4..width + 4).contains(&x) && (4..width + 4).contains(&y);
                assert_eq!(*dark, inside && expected(x - 4, y - 4), "{x},{y}");
            }
        }
    }

    #[test]
    fn white_shrinks_and_then_nothing_is_drawn_that_would_wrap() {
        let text = "https://accounts.feishu.cn/page/launcher?user_code=AB12CD34";
        let width = QrCode::with_error_correction_level(text, EcLevel::L).unwrap().width();
        let columns = |n: usize| draw(text, n).map(|d| d.lines().next().unwrap().chars().count());
        let escapes = ON.chars().count() + OFF.chars().count();
        assert_eq!(columns(width + 8), Some(width + 8 + escapes));
        assert_eq!(columns(width + 7), Some(width + 4 + escapes));
        assert_eq!(columns(width + 3), None);
    }
}
