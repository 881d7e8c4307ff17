//! The stage with fakes for sources and painter.
