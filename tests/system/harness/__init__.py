"""What the system tests stand on: processes, certificates, a name server, a sink, and real peers."""
