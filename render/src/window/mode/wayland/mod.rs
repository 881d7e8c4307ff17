//! Under Wayland, by the protocol wlr-output-management: cage from 0.2, labwc and sway have it.
//!
//! Displays that are turned off stay so; the others keep their order. A compositor takes all or
//! nothing; where displays have changed meanwhile it says so, and is asked again.
//!
//! Start at [`ask`]; `heads` keeps what the compositor has told.

mod heads;
#[cfg(test)]
mod tests;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;
use wayland_client::backend::WaylandError;
use wayland_client::{Connection, EventQueue};
use wayland_protocols_wlr::output_management::v1::client::zwlr_output_manager_v1::ZwlrOutputManagerV1;

use self::heads::{Answer, Head, Heard};
use super::places::joined;
use super::{Offer, Outcome, changed, choose, missing};
use crate::scene::Mode;

/// Configurations asked for at most, where displays change all the time.
const TRIES_MAX: usize = 5;
/// A compositor that has said nothing for so long does not answer any more.
const SILENCE_MAX: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };

/// Asks all displays that are on.
pub(super) fn ask(mode: Option<Mode>) -> Outcome<Vec<String>> {
    ask_by(&Connection::connect_to_env()?, mode, SILENCE_MAX)
}

fn ask_by(
    connection: &Connection,
    mode: Option<Mode>,
    silence_max: Timespec,
) -> Outcome<Vec<String>> {
    let mut talk =
        Talk { queue: connection.new_event_queue(), heard: Heard::default(), silence_max };
    connection.display().get_registry(&talk.queue.handle(), ());
    connection.display().sync(&talk.queue.handle(), ());
    talk.until(|heard| heard.introduced.then_some(()))?;
    let Some(manager) = talk.heard.manager.clone() else {
        // Where nothing was ever set there is nothing to take back.
        return mode.map_or(Ok(Vec::new()), |_| Err(NO_PROTOCOL.into()));
    };
    let mut serial = talk.until(|heard| heard.serial)?;
    for _ in 0..TRIES_MAX {
        let (plans, refused) = decide(&talk.heard.heads, mode);
        if plans.iter().all(|plan| plan.offer.is_none()) {
            return Ok(refused);
        }
        match talk.apply(&manager, serial, &plans)? {
            Answer::Succeeded => {
                plans.iter().for_each(|plan| plan.tell(&talk.heard.heads));
                return Ok(refused);
            }
            Answer::Failed => return Err("the compositor refused it".into()),
            Answer::Cancelled => {
                serial = talk.until(|heard| heard.serial.filter(|fresh| *fresh != serial))?;
            }
        }
    }
    Err(format!("displays changed at each of {TRIES_MAX} tries").into())
}

const NO_PROTOCOL: &str = "this compositor lets no program set it (it has no \
     wlr-output-management-unstable-v1): use cage 0.2 or newer, labwc or sway, or give the mode to \
     the kernel, such as by video=HDMI-A-1:1920x1080@60 on its command line";

/// What becomes of a display that is on.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    /// The place of the display among all.
    head: usize,
    /// The place of the mode among those that it lists. None: it keeps the one that it has.
    offer: Option<usize>,
    at: (i32, i32),
}

impl Plan {
    fn tell(&self, heads: &[Head]) {
        let Some(head) = heads.get(self.head) else { return };
        if let Some(listed) = self.offer.and_then(|place| head.listed.get(place)) {
            changed(&head.name, &listed.offer);
        }
    }
}

/// How displays shall be, and which of them have no such mode.
fn decide(heads: &[Head], mode: Option<Mode>) -> (Vec<Plan>, Vec<String>) {
    let on = || heads.iter().enumerate().filter(|(_, head)| head.on);
    let (mut plans, mut refused) = (Vec::new(), Vec::new());
    let (mut before, mut sizes) = (Vec::new(), Vec::new());
    for (place, head) in on() {
        let offers: Vec<Offer> = head.listed.iter().map(|listed| listed.offer).collect();
        let chosen = choose(&offers, mode);
        if chosen.is_none() {
            refused.push(missing(&head.name, mode, &offers));
        }
        let other = |offer: &usize| head.now().is_none_or(|now| !alike(now, &offers[*offer]));
        let offer = chosen.filter(other);
        let spot = head.spot();
        before.push(spot);
        sizes.push(offer.map_or(spot.size, |offer| head.extent(&offers[offer])));
        plans.push(Plan { head: place, offer, at: head.at });
    }
    for (plan, at) in plans.iter_mut().zip(joined(&before, &sizes)) {
        plan.at = at;
    }
    (plans, refused)
}

/// Whether both are the same to the eye.
fn alike(one: &Offer, other: &Offer) -> bool {
    (one.size, one.refresh_millihertz) == (other.size, other.refresh_millihertz)
}

/// With the compositor.
struct Talk {
    queue: EventQueue<Heard>,
    heard: Heard,
    silence_max: Timespec,
}

impl Talk {
    /// Listens until `what` is heard.
    fn until<T>(&mut self, what: impl Fn(&Heard) -> Option<T>) -> Outcome<T> {
        loop {
            self.queue.dispatch_pending(&mut self.heard)?;
            if let Some(found) = what(&self.heard) {
                return Ok(found);
            }
            self.queue.flush()?;
            let Some(guard) = self.queue.prepare_read() else { continue };
            let mut fds = [PollFd::from_borrowed_fd(guard.connection_fd(), PollFlags::IN)];
            if retry_on_intr(|| poll(&mut fds, Some(&self.silence_max)))? == 0 {
                return Err("the compositor does not answer".into());
            }
            match guard.read() {
                Err(WaylandError::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                read => drop(read?),
            }
        }
    }

    /// Has displays be as planned, if they still are what they were at `serial`.
    fn apply(
        &mut self,
        manager: &ZwlrOutputManagerV1,
        serial: u32,
        plans: &[Plan],
    ) -> Outcome<Answer> {
        let handle = self.queue.handle();
        let configuration = manager.create_configuration(serial, &handle, ());
        // Each one must be named.
        for (place, head) in self.heard.heads.iter().enumerate() {
            let Some(plan) = plans.iter().find(|plan| plan.head == place) else {
                configuration.disable_head(&head.proxy);
                continue;
            };
            let wanted = configuration.enable_head(&head.proxy, &handle, ());
            if let Some(listed) = plan.offer.and_then(|place| head.listed.get(place)) {
                wanted.set_mode(&listed.proxy);
            }
            if plan.at != head.at {
                wanted.set_position(plan.at.0, plan.at.1);
            }
        }
        self.heard.answer = None;
        configuration.apply();
        let answer = self.until(|heard| heard.answer)?;
        configuration.destroy();
        Ok(answer)
    }
}
