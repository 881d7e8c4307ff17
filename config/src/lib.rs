//! Settings you may rely on. Leaf of the house: knows no other crate of ours.
//!
//! Layers, later ones win: built-in defaults, `vitrine.toml`, `conf.d/*.toml` by name, what the cloud
//! has the last word on ([`merge`]), environment (`VITRINE_…`), command line. A [`Config`] in hand holds: every range has been checked.
//!
//! Start at [`model`] (what can be set) and [`limits`] (what nobody can). A value travels
//! `load` (which layers) → `raw` (what is written, and where) → `check` (what it means, by the
//! table in `keys`) → [`Config`]; [`show`] goes the way back, [`Watch`] goes it again at each
//! change on disk.

mod afar;
mod change;
mod check;
mod default;
mod error;
mod keys;
pub mod limits;
mod load;
pub mod model;
mod nearest;
mod raw;
mod show;
pub mod time;
mod units;
mod watch;

pub use afar::{Afar, Changed, FILE, Ledger, Word, Words, merge};
pub use change::{Change, Effect, changes};
pub use error::{Place, Problem, Problems};
pub use load::{Sources, check_file, files_say, load, load_what_holds};
pub use model::Config;
pub use show::{show, show_origins};
pub use watch::{Reload, Said, Watch};
