"""The Erlang we speak to a RabbitMQ node: what it runs to survive a kill, and a remote control.

The remote control is one small Erlang process that stays connected.

`rabbitmqctl` starts a whole Erlang for each call, over a second of CPU; this one starts once and answers in
milliseconds, through the same functions of the broker, and needs no management plugin.
"""

import contextlib
import subprocess
from collections.abc import Mapping
from pathlib import Path

from bus.errors import SetupError
from ui.stack.processes import die_with_us, end

# Ra, below the quorum queues and streams, keeps the list of its logs in tables that Erlang writes out only after three
# quiet minutes (in RabbitMQ 3.10). A node killed before that forgets the messages of its newest queues, and these never
# elect a leader again. So the tables are written out four times a second.
_KEEP_NEW_QUEUES = (
    "timer:apply_interval(250,lists,foreach,[fun(Table)->catch(dets:sync(Table))end,"
    "[ra_directory_reverse,ra_coordination_directory_reverse]])"
)

# On a node of its own a quorum queue is its own leader; after a kill one in some stays a follower of nobody for ever
# (in RabbitMQ 3.10), and whoever declares or consumes it waits for ever. Those are asked to stand for election.
_ELECT_LEADERS = (
    "timer:apply_interval(1000,erlang,apply,[fun()->(catch(lists:foreach("
    "fun({Name,follower})->(catch(ra:trigger_election({Name,node()},500)));(_)->[]end,ets:tab2list(ra_state))))end,[]])"
)

# A timer ends with the process that asked for it, so one is made that lasts. The node's start script splits this at
# spaces: it has none.
SURVIVE_A_KILL = f"-eval spawn(fun()->{_KEEP_NEW_QUEUES},{_ELECT_LEADERS},timer:sleep(infinity)end)."
"""Arguments of the node's Erlang."""

# One line in, one line out: `ok`, or what went wrong. It ends at the end of its input. A node just started again
# answers AMQP a moment before it answers other nodes.
_PROGRAM = """
Node = list_to_atom(os:getenv("RABBITMQ_NODENAME")),
Try = fun Again(Module, Function, Arguments, Tries) ->
    case rpc:call(Node, Module, Function, Arguments) of
        ok -> ok;
        {badrpc, nodedown} when Tries > 0 -> timer:sleep(200), Again(Module, Function, Arguments, Tries - 1);
        Other -> throw(Other)
    end
end,
Call = fun({Module, Function}, Arguments) -> Try(Module, Function, Arguments, 50) end,
All = <<".*">>,
By = <<"overspill">>,
Do = fun
    ([<<"add">>, Vhost, User]) ->
        Call({rabbit_vhost, add}, [Vhost, By]),
        Call({rabbit_auth_backend_internal, set_permissions}, [User, Vhost, All, All, All, By]);
    ([<<"delete">>, Vhost]) ->
        Call({rabbit_vhost, delete}, [Vhost, By])
end,
Loop = fun Next() ->
    case io:get_line("") of
        eof -> halt(0);
        Line ->
            Words = [list_to_binary(Word) || Word <- string:lexemes(Line, " \\n")],
            io:format("~0p~n", [catch Do(Words)]),
            Next()
    end
end,
Loop().
"""


class Control:
    """The remote control of one node, connected on the first call."""

    def __init__(self, node: str, environ: Mapping[str, str]) -> None:
        """`environ` is the node's own: it tells epmd's port and where the cookie lies."""
        name = f"control-{node}"
        arguments = ["-noshell", "-hidden", "-start_epmd", "false", "-sname", name, "-eval", _PROGRAM]
        self._process = subprocess.Popen(
            die_with_us(["erl", "-kernel", "inet_dist_use_interface", "{127,0,0,1}", *arguments]),
            env=dict(environ),
            cwd=Path(environ["HOME"]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def call(self, *words: str) -> None:
        """Carry out one command, `add VHOST USER` or `delete VHOST`. Raises SetupError with what the node says."""
        assert self._process.stdin is not None  # noqa: S101 (both are pipes)
        assert self._process.stdout is not None  # noqa: S101
        with contextlib.suppress(BrokenPipeError):  # then there is no answer either
            self._process.stdin.write(" ".join(words).encode() + b"\n")
            self._process.stdin.flush()
        said = self._process.stdout.readline().decode(errors="replace").strip()
        if said != "ok":
            raise SetupError(f"The private RabbitMQ can't {' '.join(words[:2])}: {said or 'no answer'}. See its log.")

    def close(self) -> None:
        """End the remote control."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        end(self._process, 1)
