//! The loopback interface of a new network namespace, which starts switched off.

use std::io;

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with};

const LOOPBACK_INDEX: i32 = 1;
const ACK_BYTES_MAX: usize = 1024;

/// Switches it on: one `RTM_NEWLINK` message with `IFF_UP`, acknowledged (rtnetlink(7)).
pub(super) fn up() -> io::Result<()> {
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
    let up = libc::IFF_UP.unsigned_abs();
    let mut message = Vec::with_capacity(32);
    message.extend(32u32.to_ne_bytes());
    message.extend(libc::RTM_NEWLINK.to_ne_bytes());
    message.extend(((libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16).to_ne_bytes());
    message.extend([0; 8]); // sequence and port
    message.extend([0; 4]); // family, padding, type
    message.extend(LOOPBACK_INDEX.to_ne_bytes());
    message.extend(up.to_ne_bytes());
    message.extend(up.to_ne_bytes());
    send(&socket, &message, SendFlags::empty())?;
    let mut answer = [0u8; ACK_BYTES_MAX];
    let (read, _) = recv(&socket, answer.as_mut_slice(), RecvFlags::empty())?;
    // The error number follows the 16 bytes of the header, 0 for success.
    match answer
        .get(16..20)
        .filter(|_| read >= 20)
        .and_then(|bytes| bytes.try_into().ok())
        .map(i32::from_ne_bytes)
    {
        Some(0) => Ok(()),
        Some(error) => Err(io::Error::from_raw_os_error(error.saturating_neg())),
        None => Err(io::Error::other("the kernel's answer is too short")),
    }
}
