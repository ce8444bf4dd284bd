//! (room under construction)

pub mod wire;
