"""The host machine: commands, processes, cgroups, network, Debian packages."""
