"""The simulated carriers, tried over real sockets."""
