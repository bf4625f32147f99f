//! The web: the JSON API. Only asks the engine and renders; decides nothing.

pub mod api;
