"""What devcluster asks of the machine: programs, processes, cgroups, networks, Debian packages."""
