//! The sandbox alone, over real HTTP: both protocols, both tables of outcomes, lost answers, the page.

mod cards;
mod faults;
mod mpesa;
mod page;
mod refunds;
mod rig;
mod telling;
