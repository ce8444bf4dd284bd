//! Guessing what a misspelled word was meant to be. Pure.

/// The known word that is spelled most like `word`, if it is near enough to have been meant.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Longer words are never near: they are not typed by people, and comparing costs the product of both lengths.
    if word.len() > WORD_BYTES_MAX {
        return None;
    }
    let limit = 1 + word.chars().count() / 4;
    let plain = |text: &str| text.to_lowercase().replace(['-', '_'], "");
    let word = plain(word);
    let letters = word.chars().count();
    known
        .into_iter()
        .map(|known| (plain(known), known))
        // So many letters have to be put in or left out at least.
        .filter(|(plain, _)| plain.chars().count().abs_diff(letters) <= limit)
        .map(|(plain, known)| (distance(&word, &plain), known))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// Field paths, the longest words that are compared, have some hundred bytes.
const WORD_BYTES_MAX: usize = 200;

/// How many letters have to be put in, left out or exchanged.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (row, letter) in a.chars().enumerate() {
        let mut left = row + 1;
        let mut line = vec![left];
        for (other, pair) in b.iter().zip(above.windows(2)) {
            let [corner, up] = pair else { continue };
            left = (corner + usize::from(*other != letter))
                .min(up + 1)
                .min(left + 1);
            line.push(left);
        }
        above = line;
    }
    above.last().copied().unwrap_or(0)
}
