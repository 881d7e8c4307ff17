//! The compositor's side of wlr-output-management, over the wire and nothing behind it.

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Builder;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use wayland_protocols_wlr::output_management::v1::server::zwlr_output_configuration_head_v1::{
    self, ZwlrOutputConfigurationHeadV1,
};
use wayland_protocols_wlr::output_management::v1::server::zwlr_output_configuration_v1::{
    self, ZwlrOutputConfigurationV1,
};
use wayland_protocols_wlr::output_management::v1::server::zwlr_output_head_v1::ZwlrOutputHeadV1;
use wayland_protocols_wlr::output_management::v1::server::zwlr_output_manager_v1::{
    self, ZwlrOutputManagerV1,
};
use wayland_protocols_wlr::output_management::v1::server::zwlr_output_mode_v1::ZwlrOutputModeV1;
use wayland_server::backend::{ClientData, ClientId, DisconnectReason};
use wayland_server::protocol::wl_output::Transform;
use wayland_server::{
    Client, DataInit, Dispatch, Display, DisplayHandle, GlobalDispatch, New, Resource,
};

#[derive(Clone)]
pub(super) struct Screen {
    pub name: &'static str,
    /// None: it is off.
    pub at: Option<(i32, i32)>,
    pub on_its_side: bool,
    pub scale: f64,
    /// The first one is its own.
    pub modes: Vec<(i32, i32, i32)>,
    pub current: usize,
}

impl Default for Screen {
    fn default() -> Screen {
        Screen { name: "", at: None, on_its_side: false, scale: 1.0, modes: vec![], current: 0 }
    }
}

/// What it was asked for a screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    Off,
    On { mode: Option<usize>, at: Option<(i32, i32)> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Temper {
    Willing,
    Refusing,
    /// It takes a configuration and says nothing.
    Deaf,
    /// It has no such protocol.
    Without,
}

pub(super) struct Compositor {
    pub temper: Temper,
    /// Plugged in when it is first asked for something.
    pub plugged: Vec<Screen>,
    /// Each configuration that was to be applied.
    pub asked: Vec<Vec<(&'static str, Wish)>>,
    screens: Vec<Screen>,
    heads: Vec<ZwlrOutputHeadV1>,
    manager: Option<ZwlrOutputManagerV1>,
    serial: u32,
    /// The configuration in the making: for which serial, and for each screen by its place.
    asking: (u32, Vec<(usize, Wish)>),
}

struct Gone(Arc<AtomicBool>);

impl ClientData for Gone {
    fn disconnected(&self, _: ClientId, _: DisconnectReason) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Compositor {
    pub(super) fn new(screens: Vec<Screen>) -> Compositor {
        Compositor {
            temper: Temper::Willing,
            plugged: Vec::new(),
            asked: Vec::new(),
            screens,
            heads: Vec::new(),
            manager: None,
            serial: 1,
            asking: (0, Vec::new()),
        }
    }

    /// Serves one client until it hangs up.
    pub(super) fn serve<T: Send + 'static>(
        mut self,
        client: impl FnOnce(UnixStream) -> T + Send + 'static,
    ) -> (T, Compositor) {
        let (own, other) = UnixStream::pair().unwrap();
        let client = Builder::new().name("client".into()).spawn(move || client(other)).unwrap();
        let mut display = Display::<Compositor>::new().unwrap();
        if self.temper != Temper::Without {
            display.handle().create_global::<Compositor, ZwlrOutputManagerV1, ()>(4, ());
        }
        let gone = Arc::new(AtomicBool::new(false));
        display.handle().insert_client(own, Arc::new(Gone(gone.clone()))).unwrap();
        while !gone.load(Ordering::Relaxed) {
            let mut fds = [PollFd::new(&display, PollFlags::IN)];
            poll(&mut fds, Some(&Timespec { tv_sec: 10, tv_nsec: 0 })).unwrap();
            display.dispatch_clients(&mut self).unwrap();
            display.flush_clients().unwrap();
        }
        (client.join().unwrap(), self)
    }

    /// Tells of a screen.
    fn tell(&mut self, place: usize, client: &Client, handle: &DisplayHandle) {
        let (screen, Some(manager)) = (&self.screens[place], &self.manager) else { return };
        let version = manager.version();
        let head: ZwlrOutputHeadV1 =
            client.create_resource::<_, _, Compositor>(handle, version, place).unwrap();
        manager.head(&head);
        head.name(screen.name.to_owned());
        for (number, (width, height, rate)) in screen.modes.iter().enumerate() {
            let mode: ZwlrOutputModeV1 =
                client.create_resource::<_, _, Compositor>(handle, version.min(3), number).unwrap();
            head.mode(&mode);
            mode.size(*width, *height);
            mode.refresh(*rate);
            if number == 0 {
                mode.preferred();
            }
            if number == screen.current && screen.at.is_some() {
                head.current_mode(&mode);
            }
        }
        head.enabled(i32::from(screen.at.is_some()));
        if let Some((x, y)) = screen.at {
            head.position(x, y);
            head.scale(screen.scale);
            head.transform(if screen.on_its_side { Transform::_270 } else { Transform::Normal });
        }
        self.heads.push(head);
    }

    fn done(&self) {
        self.manager.iter().for_each(|manager| manager.done(self.serial));
    }

    fn apply(
        &mut self,
        configuration: &ZwlrOutputConfigurationV1,
        client: &Client,
        handle: &DisplayHandle,
    ) {
        let (serial, wishes) = std::mem::take(&mut self.asking);
        if wishes.len() != self.heads.len() {
            let error = zwlr_output_configuration_v1::Error::UnconfiguredHead;
            configuration.post_error(error, "a head was left out");
            return;
        }
        let named = |(place, wish): (usize, Wish)| (self.screens[place].name, wish);
        self.asked.push(wishes.into_iter().map(named).collect());
        for screen in std::mem::take(&mut self.plugged) {
            self.screens.push(screen);
            self.tell(self.screens.len() - 1, client, handle);
            self.serial += 1;
            self.done();
        }
        match self.temper {
            _ if serial != self.serial => configuration.cancelled(),
            Temper::Refusing => configuration.failed(),
            Temper::Deaf => {}
            Temper::Willing | Temper::Without => configuration.succeeded(),
        }
    }

    /// What is being asked for the screen that was named last.
    fn last_wish(&mut self) -> (&mut Option<usize>, &mut Option<(i32, i32)>) {
        match self.asking.1.last_mut() {
            Some((_, Wish::On { mode, at })) => (mode, at),
            other => panic!("{other:?} is set up"),
        }
    }
}

impl GlobalDispatch<ZwlrOutputManagerV1, ()> for Compositor {
    fn bind(
        compositor: &mut Compositor,
        handle: &DisplayHandle,
        client: &Client,
        manager: New<ZwlrOutputManagerV1>,
        (): &(),
        init: &mut DataInit<'_, Compositor>,
    ) {
        compositor.manager = Some(init.init(manager, ()));
        for place in 0..compositor.screens.len() {
            compositor.tell(place, client, handle);
        }
        compositor.done();
    }
}

impl Dispatch<ZwlrOutputManagerV1, ()> for Compositor {
    fn request(
        compositor: &mut Compositor,
        _: &Client,
        _: &ZwlrOutputManagerV1,
        request: zwlr_output_manager_v1::Request,
        (): &(),
        _: &DisplayHandle,
        init: &mut DataInit<'_, Compositor>,
    ) {
        if let zwlr_output_manager_v1::Request::CreateConfiguration { id, serial } = request {
            init.init(id, ());
            compositor.asking = (serial, Vec::new());
        }
    }
}

impl Dispatch<ZwlrOutputConfigurationV1, ()> for Compositor {
    fn request(
        compositor: &mut Compositor,
        client: &Client,
        configuration: &ZwlrOutputConfigurationV1,
        request: zwlr_output_configuration_v1::Request,
        (): &(),
        handle: &DisplayHandle,
        init: &mut DataInit<'_, Compositor>,
    ) {
        use zwlr_output_configuration_v1::Request;
        let place = |head: &ZwlrOutputHeadV1| *head.data::<usize>().unwrap();
        match request {
            Request::EnableHead { id, head } => {
                init.init(id, ());
                compositor.asking.1.push((place(&head), Wish::On { mode: None, at: None }));
            }
            Request::DisableHead { head } => {
                compositor.asking.1.push((place(&head), Wish::Off));
            }
            Request::Apply => compositor.apply(configuration, client, handle),
            _ => {}
        }
    }
}

impl Dispatch<ZwlrOutputConfigurationHeadV1, ()> for Compositor {
    fn request(
        compositor: &mut Compositor,
        _: &Client,
        _: &ZwlrOutputConfigurationHeadV1,
        request: zwlr_output_configuration_head_v1::Request,
        (): &(),
        _: &DisplayHandle,
        _: &mut DataInit<'_, Compositor>,
    ) {
        use zwlr_output_configuration_head_v1::Request;
        match request {
            Request::SetMode { mode } => {
                *compositor.last_wish().0 = mode.data::<usize>().copied();
            }
            Request::SetPosition { x, y } => *compositor.last_wish().1 = Some((x, y)),
            other => panic!("{other:?} is nobody's wish"),
        }
    }
}

/// Heads and modes are only told of.
macro_rules! told {
    ($($interface:ty),*) => {$(
        impl Dispatch<$interface, usize> for Compositor {
            fn request(
                _: &mut Compositor,
                _: &Client,
                _: &$interface,
                _: <$interface as Resource>::Request,
                _: &usize,
                _: &DisplayHandle,
                _: &mut DataInit<'_, Compositor>,
            ) {
            }
        }
    )*};
}

told!(ZwlrOutputHeadV1, ZwlrOutputModeV1);
