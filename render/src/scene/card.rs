//! Built-in pictures.

use serde::{Deserialize, Serialize};

/// A built-in picture: there when there is nothing better. Needs no font, file or network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Card {
    /// The device waits for an operator.
    Pairing {
        /// As a person types it, `XXXX-XXXX`.
        user_code: String,
        /// Where, in words.
        verification_uri: String,
        /// The same with the code, for the QR code.
        verification_uri_complete: String,
        /// Fingerprint of the device key, in groups.
        fingerprint: String,
    },
    /// Nothing to play, and why.
    NoContent {
        /// One short headline, such as "No content yet".
        headline: String,
        /// One or two sentences: what is missing and what helps.
        detail: String,
    },
    /// Which device this is; drawn as a band over the running picture.
    Identify {
        /// Name of the device.
        name: String,
        /// More lines: address, release.
        detail: String,
    },
}
