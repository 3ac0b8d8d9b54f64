//! What looks for something in a message: in this process, or in another one that is asked.
