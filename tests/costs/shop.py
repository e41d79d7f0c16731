"""A line without plugins, for commands that name one."""

from tests.support.cast import a_line

line = a_line()
