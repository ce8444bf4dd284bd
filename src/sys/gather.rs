//! Maps and sets out of iterators.

/// Iterators that fill a map or a set entry by entry.
pub trait Gather: Iterator + Sized {
    /// As `collect`, but into a `BTreeMap` or `BTreeSet` by inserting. `collect` sorts all entries first, which puts 4 kB
    /// of merge sort into the program for every type of entry, and there are some thirty.
    fn gather<C: Default + Extend<Self::Item>>(self) -> C {
        let mut all = C::default();
        all.extend(self);
        all
    }
}

impl<I: Iterator> Gather for I {}
