//! Medians, and the lines that are printed.

use std::time::Duration;

/// The middle one.
pub fn median(times: &[Duration]) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

/// Milliseconds: the middle one, and the smallest and the largest.
pub fn spread(times: &[Duration]) -> String {
    let ms = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1000.0);
    format!(
        "{:.0} ms ({:.0}..{:.0}, n={})",
        ms(Some(&median(times))),
        ms(times.iter().min()),
        ms(times.iter().max()),
        times.len()
    )
}

/// One line: what was measured, what against, the number that has a bar, the bar.
pub fn line(what: &str, measured: &str, floor: &str, number: f64, unit: &str, bar: Option<f64>) {
    let verdict = match bar {
        None => String::new(),
        Some(bar) if number <= bar => format!("bar {bar}{unit}  ok"),
        Some(bar) => format!("bar {bar}{unit}  over"),
    };
    let number = format!("{number:.2}{unit}");
    println!("{what:<34} {measured:<30} {floor:<34} {number:>10}  {verdict}");
}

/// The line above the others.
pub fn head() {
    println!(
        "{:<34} {:<30} {:<34} {:>10}",
        "what", "staticlet", "floor: straight to Docker", "number"
    );
}

/// Agent over floor, by their medians.
pub fn ratio(agent: &[Duration], floor: &[Duration]) -> f64 {
    median(agent).as_secs_f64() / median(floor).as_secs_f64()
}

/// Agent less floor in seconds, by their medians.
pub fn more(agent: &[Duration], floor: &[Duration]) -> f64 {
    median(agent).as_secs_f64() - median(floor).as_secs_f64()
}
