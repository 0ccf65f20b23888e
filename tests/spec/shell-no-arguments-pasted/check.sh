test ! -e broken
