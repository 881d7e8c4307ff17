//! What the session asks, hears and brings about. Tokens in it are kept out of every text.

use jiff::Timestamp;
use vitrine_wire::auth::{PairingAnswer, TokenAnswer};

use crate::error::CloudError;
use crate::identity::Account;

/// What proves a request.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Pass {
    /// Bearer token.
    pub(crate) token: String,
    /// Sent as `X-Tenant`.
    pub(crate) tenant: String,
}

impl std::fmt::Debug for Pass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pass {{ tenant: {:?}, … }}", self.tenant)
    }
}

/// What to ask the cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ask {
    /// For a code.
    Pairing,
    /// For a token.
    Token(Grant),
}

/// By what right.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Grant {
    /// Somebody may have approved this device code.
    DeviceCode(String),
    /// A refresh token.
    Refresh(String),
    /// The device key.
    Assertion {
        /// Who.
        device: String,
        /// Time to sign with.
        at: Timestamp,
    },
}

impl std::fmt::Debug for Grant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Grant::DeviceCode(_) => "DeviceCode(…)",
            Grant::Refresh(_) => "Refresh(…)",
            Grant::Assertion { .. } => "Assertion(…)",
        })
    }
}

/// What the cloud said to an [`Ask`].
pub(crate) enum Reply {
    /// To [`Ask::Pairing`].
    Pairing(Result<PairingAnswer, CloudError>),
    /// To [`Ask::Token`].
    Token(Result<TokenAnswer, CloudError>),
}

/// What has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Put the code on the screen. The device code in it is empty: it is the session's secret.
    Show(PairingAnswer),
    /// Pin and keep this account.
    Paired(Box<Account>),
    /// The cloud does not know this device any more.
    Unpaired,
    /// Report.
    Trouble {
        /// Code of the fault record.
        code: &'static str,
        /// For a person.
        detail: String,
    },
}
