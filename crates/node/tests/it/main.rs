//! Providers and validators on the contracts of an embedded chain, which they reach over HTTP as any other.

#![cfg(test)]
mod common;
mod crash;
mod excuses;
mod leases;
mod offers;
mod plane;
mod scales;
mod validators;
mod verdicts;
