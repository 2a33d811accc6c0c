// C between clone and exec, and system calls that Glibc hides.
