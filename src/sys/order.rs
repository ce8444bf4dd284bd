//! Slices in order.

use std::cmp::Ordering;

/// As `sort_by` and `sort_by_key`, equal entries staying in their order. The standard library's put 4 kB of merge sort into the program for
/// every type of entry; here places are sorted, which is one sort for all, and then the entries swapped there.
pub trait InOrder<T> {
    /// By what `compare` says of two entries.
    fn order_by(&mut self, compare: impl FnMut(&T, &T) -> Ordering);

    /// By a key, made anew at each comparison.
    fn order_by_key<K: Ord>(&mut self, mut key: impl FnMut(&T) -> K) {
        self.order_by(|a, b| key(a).cmp(&key(b)));
    }
}

impl<T> InOrder<T> for [T] {
    fn order_by(&mut self, mut compare: impl FnMut(&T, &T) -> Ordering) {
        let mut to = places(self.len(), &mut |a, b| compare(&self[a], &self[b]));
        for at in 0..to.len() {
            while to[at] != at {
                let place = to[at];
                self.swap(at, place);
                to.swap(at, place);
            }
        }
    }
}

/// Where each of so many entries belongs.
fn places(count: usize, compare: &mut dyn FnMut(usize, usize) -> Ordering) -> Vec<usize> {
    let mut from: Vec<usize> = (0..count).collect();
    from.sort_by(|a, b| compare(*a, *b));
    let mut to = vec![0; count];
    for (place, entry) in from.into_iter().enumerate() {
        to[entry] = place;
    }
    to
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_as_the_standard_library_does() {
        // A linear congruence makes the entries: many are equal by their key, and told apart by their place.
        let mut seed = 7_u32;
        for count in 0..60 {
            let mut entries: Vec<(u32, u32)> = (0..count)
                .map(|at| {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (seed >> 28, at)
                })
                .collect();
            let mut expected = entries.clone();
            expected.sort_by_key(|entry| entry.0);
            entries.order_by_key(|entry| entry.0);
            assert_eq!(entries, expected);
            expected.sort_by_key(|entry| std::cmp::Reverse(entry.0));
            entries.order_by(|a, b| b.0.cmp(&a.0));
            assert_eq!(entries, expected);
        }
    }
}
