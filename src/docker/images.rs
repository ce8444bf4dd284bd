//! The calls about all images of a dockerd, whosever they are.

use std::collections::BTreeSet;

use super::call::Call;
use super::{Docker, deadlines as limit, wire};
use crate::sys::{Gather, Result};

impl Docker {
    /// All images but those that are only parts of others, in no order.
    pub fn all_images(&self) -> Result<Vec<wire::ImageSummary>> {
        let mut call = Call::read("list all images", "/images/json");
        call.deadline = limit::ALL;
        self.link.json(call, limit::LIST_BYTES_MAX)
    }

    /// The ids of the images that containers have, also those that do not run and those of other people.
    pub fn images_in_use(&self) -> Result<BTreeSet<String>> {
        let mut call = Call::read("list all containers", "/containers/json");
        call.query = vec![("all", "1".into())];
        call.deadline = limit::ALL;
        let list: Vec<wire::Summary> = self.link.json(call, limit::LIST_BYTES_MAX)?;
        Ok(list.into_iter().map(|summary| summary.image_id).gather())
    }
}
