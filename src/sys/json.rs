//! JSON that holds objects of the Kubernetes API.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Result, Value};

/// Reads by way of a tree. The code that reads a Pod is 200 kB for each kind of reader: with this one, and no other, it is
/// in the program once.
///
/// # Errors
/// As serde_json; where in the text a wrong type stands is not known any more.
pub fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    serde_json::from_value(serde_json::from_slice::<Value>(bytes)?)
}

/// The tree of an object, by way of its text: the code that writes a Pod as a tree is 70 kB more than the code that writes
/// it as text.
///
/// # Errors
/// As serde_json: an object that has no form in JSON.
pub fn tree<T: Serialize>(object: &T) -> Result<Value> {
    serde_json::from_slice(&serde_json::to_vec(object)?)
}
