//! A scene in, light out.
//!
//! Start at [`scene`] (what can be asked for) and [`report`] (what comes back), then `stage` (what
//! happens in between). [`link`] carries both between agent and stage.
//!
//! Knows no playlist, no schedule, no network; reads only the files that a scene names.

pub mod link;
pub mod report;
pub mod scene;
pub mod source;
