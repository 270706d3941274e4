"""How the tests of a project are started, by the files that start them."""
