//! Figures as they are printed.

use vitrine_tests::player::tell;

/// Several readings of one figure.
pub struct Readings(pub Vec<f64>);

impl Readings {
    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }

    /// The middle one.
    pub fn median(&self) -> f64 {
        let sorted = self.sorted();
        sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
    }
}

/// Prints a figure.
pub fn line(what: &str, readings: &Readings, limit: Option<&str>) {
    let sorted = readings.sorted();
    let (low, high) = (sorted.first().unwrap_or(&f64::NAN), sorted.last().unwrap_or(&f64::NAN));
    let limit = limit.map(|text| format!("  ({text})")).unwrap_or_default();
    tell(&format!("    {what:<34} {:8.2}   [{low:.2} .. {high:.2}]{limit}", readings.median()));
}

/// Prints one figure as a multiple of another, beside its limit.
pub fn ratio(what: &str, ours: &Readings, theirs: &Readings, limit: f64) {
    let ratio = ours.median() / theirs.median();
    let verdict = if ratio <= limit { "within" } else { "OVER" };
    tell(&format!("    {what:<34} {ratio:8.2}   {verdict} the limit of {limit}"));
}
