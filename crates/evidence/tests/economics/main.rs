//! Agents with their own aims play by the contract's rules for money, with real draws and real verdicts: whatever somebody tries,
//! honest work pays more. Where it does not, the test says so by its name.
#![cfg(test)]

mod consumers;
mod grid;
mod grinding;
mod providers;
mod validators;
mod world;
