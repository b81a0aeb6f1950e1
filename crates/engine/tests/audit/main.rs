//! The audit log on a disk: whatever point publishing dies at, whichever copy is restored, the log that is signed only
//! grows.
#![cfg(test)]

mod backups;
mod points;
mod stand;
