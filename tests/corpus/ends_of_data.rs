//! Octets that some server or other takes for the end of mail data, though they are none (threat S1).

/// Each has a bare CR, a bare LF or a NUL, so a strict reader refuses it.
pub(crate) const BROKEN_ENDS: [&[u8]; 17] = [
    b"\n.\n",
    b"\n.\r\n",
    b"\r\n.\n",
    b"\r.\r",
    b"\r.\r\n",
    b"\r\n.\r",
    b"\n.\r",
    b"\r.\n",
    b"\r\n.\r\r\n",
    b"\r\r\n.\r\r\n",
    b"\n\n.\n",
    b"\r\n\0.\r\n",
    b"\r\n.\0\r\n",
    b"\r\n\0.\0\r\n",
    b"\r\0\n.\r\n",
    b"\0\r\n.\r\0\n",
    b"\r\n.\r\0\n",
];
