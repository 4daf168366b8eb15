//! Scenarios and their three drivers.
