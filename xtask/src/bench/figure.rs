//! Figures: repeated measurements, and one line of the page.

use super::rig::Who;

/// Measurements of one thing.
#[derive(Clone, Debug, Default)]
pub(super) struct Sample(Vec<f64>);

impl Sample {
    /// Adds one.
    pub(super) fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    /// The middle one; nothing when nothing was measured.
    pub(super) fn median(&self) -> Option<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied()
    }

    /// The median, and from where to where the others went.
    fn text(&self, unit: &str) -> String {
        let Some(median) = self.median() else { return "–".to_owned() };
        let least = self.0.iter().copied().fold(f64::INFINITY, f64::min);
        let most = self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        match self.0.len() {
            1 => format!("{} {unit}", short(median)),
            _ => format!("{} {unit} ({}–{})", short(median), short(least), short(most)),
        }
    }
}

/// A number with as many places as it needs.
pub(super) fn short(value: f64) -> String {
    match value.abs() {
        x if x >= 10_000.0 => format!("{:.1} k", value / 1000.0),
        x if x >= 100.0 => format!("{value:.0}"),
        x if x >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// One line of the table.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    /// The heading of its explanation in `notes.txt`.
    pub(super) id: &'static str,
    pub(super) what: String,
    pub(super) goal: String,
    pub(super) unit: &'static str,
    pub(super) ours: Sample,
    pub(super) node: Sample,
    pub(super) python: Sample,
    /// What the numbers do not say.
    pub(super) remark: String,
    pub(super) met: Option<bool>,
}

impl Row {
    /// A row without measurements.
    pub(super) fn new(id: &'static str, what: &str, goal: &str, unit: &'static str) -> Self {
        let (what, goal) = (what.to_owned(), goal.to_owned());
        Self { id, what, goal, unit, ..Self::default() }
    }

    /// Where to add a measurement of somebody.
    pub(super) fn of(&mut self, who: Who) -> &mut Sample {
        match who {
            Who::Ours | Who::Link => &mut self.ours,
            Who::Node => &mut self.node,
            Who::Python => &mut self.python,
        }
    }

    /// Our median.
    pub(super) fn our_median(&self) -> f64 {
        self.ours.median().unwrap_or(f64::NAN)
    }

    /// Met when our median is at most this.
    pub(super) fn at_most(mut self, bound: f64) -> Self {
        self.met = self.ours.median().map(|m| m <= bound);
        self
    }

    /// Met when our median is so many times the better of the two SDKs.
    pub(super) fn times_the_best(mut self, times: f64) -> Self {
        let best = [self.node.median(), self.python.median()].into_iter().flatten();
        let best = best.fold(f64::NAN, f64::max);
        self.met = self.ours.median().filter(|_| best.is_finite()).map(|m| m >= times * best);
        self
    }

    /// The line.
    pub(super) fn markdown(&self) -> String {
        let ratio = |other: &Sample| match (self.ours.median(), other.median()) {
            (Some(ours), Some(other)) if other > 0.0 => format!("{:.2}", ours / other),
            _ => "–".to_owned(),
        };
        let met = match self.met {
            Some(true) => "yes",
            Some(false) => "**no**",
            None => "–",
        };
        format!(
            "| {} | {} | {} | {} | {} | {} · {} | {met} | {} |",
            self.what,
            self.goal,
            self.ours.text(self.unit),
            self.node.text(self.unit),
            self.python.text(self.unit),
            ratio(&self.node),
            ratio(&self.python),
            self.remark
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(values: &[f64]) -> Sample {
        Sample(values.to_vec())
    }

    #[test]
    fn a_sample_shows_its_median_and_its_spread() {
        assert_eq!(sample(&[3.0, 1.0, 2.0]).text("s"), "2.00 s (1.00–3.00)");
        assert_eq!(sample(&[12_345.0]).text("/s"), "12.3 k /s");
        assert_eq!(Sample::default().text("s"), "–");
    }

    #[test]
    fn a_goal_is_met_by_the_median_and_by_the_better_sdk() {
        let row = Row { ours: sample(&[9.0, 2.0, 1.0]), ..Row::default() };
        assert_eq!(row.clone().at_most(2.0).met, Some(true));
        assert_eq!(row.clone().at_most(1.9).met, Some(false));
        let row = Row { node: sample(&[1.0]), python: sample(&[0.5]), ..row };
        assert_eq!(row.clone().times_the_best(2.0).met, Some(true));
        assert_eq!(row.times_the_best(2.1).met, Some(false));
        assert_eq!(Row::default().times_the_best(2.0).met, None);
    }
}
