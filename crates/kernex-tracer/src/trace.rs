//! The tracer's loop.

use std::{
    collections::HashMap,
    fs::File,
    io::Write as _,
    os::unix::process::CommandExt as _,
    process::{Command, ExitCode},
};

use anyhow::{Context as _, Result, bail};
use kernex_tracer::{Act, Fault, KILLED_CODE, Orders};
use nix::{
    errno::Errno,
    libc,
    sys::{
        ptrace::{self, Event, Options},
        signal::{Signal, kill, raise},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};

use crate::{
    calls::{self, Call, Purpose},
    clock, memory,
};

/// The program begins as this, so that it is traced from its first call on.
const TRACEE: &str = "--tracee";
/// What the agent starts is left alone when its first argument is one of these: scripts, workloads, and a question.
const NOT_THE_AGENT: [&str; 3] = ["script-runner", "sandbox-entry", "--version"];

pub(crate) fn main() -> Result<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    let orders = arguments.next().context("usage: kernex-tracer ORDERS PROGRAM ARGUMENTS…")?;
    let program = arguments.next().context("which program?")?;
    if orders == TRACEE {
        ptrace::traceme()?;
        raise(Signal::SIGSTOP)?;
        return Err(Command::new(program).args(arguments).exec()).context("cannot start the program");
    }
    let orders: Orders = serde_json::from_str(&orders.to_string_lossy()).context("the orders")?;
    let mut command = Command::new("/proc/self/exe");
    let child = command.arg(TRACEE).arg(program).args(arguments).spawn()?;
    let main = Pid::from_raw(i32::try_from(child.id())?);
    Tracer::attach(orders, main)?.run()
}

struct Tracer {
    orders: Orders,
    report: File,
    main: Pid,
    /// Threads, by their ids.
    threads: HashMap<Pid, Thread>,
    counted: u32,
    has_failed: bool,
    has_killed: bool,
    status: ExitCode,
}

/// What a thread is in the middle of.
#[derive(Default)]
struct Thread {
    call: Option<InCall>,
}

/// What is done when the call that a thread is in returns.
enum InCall {
    Plain,
    /// It was kept from happening.
    Failed(i32),
    /// The time at this address is moved.
    Clock(u64),
}

impl Tracer {
    fn attach(orders: Orders, main: Pid) -> Result<Self> {
        match waitpid(main, Some(WaitPidFlag::__WALL))? {
            WaitStatus::Stopped(_, Signal::SIGSTOP) => {}
            other => bail!("the program did not begin as it should: {other:?}"),
        }
        let options = Options::PTRACE_O_TRACESYSGOOD
            | Options::PTRACE_O_EXITKILL
            | Options::PTRACE_O_TRACECLONE
            | Options::PTRACE_O_TRACEFORK
            | Options::PTRACE_O_TRACEVFORK
            | Options::PTRACE_O_TRACEEXEC;
        ptrace::setoptions(main, options)?;
        let report = File::create(&orders.report).context("the report")?;
        ptrace::syscall(main, None)?;
        Ok(Self {
            orders,
            report,
            main,
            threads: HashMap::new(),
            counted: 0,
            has_failed: false,
            has_killed: false,
            status: ExitCode::SUCCESS,
        })
    }

    fn run(mut self) -> Result<ExitCode> {
        loop {
            match waitpid(None, Some(WaitPidFlag::__WALL)) {
                Ok(status) => self.see(status)?,
                Err(Errno::EINTR) => {}
                Err(Errno::ECHILD) => break,
                Err(error) => return Err(error).context("waiting"),
            }
        }
        let killed = ExitCode::from(u8::try_from(KILLED_CODE)?);
        Ok(if self.has_killed { killed } else { self.status })
    }

    fn see(&mut self, status: WaitStatus) -> Result<()> {
        match status {
            WaitStatus::Exited(pid, code) => self.ended(pid, u8::try_from(code).unwrap_or(1)),
            WaitStatus::Signaled(pid, signal, _) => self.ended(pid, 128 + signal as i32 as u8),
            WaitStatus::PtraceSyscall(pid) => {
                let outcome = if self.thread(pid).call.is_some() { self.leave(pid) } else { self.enter(pid) };
                // A thread may be killed at any moment; its end is reported by itself.
                if outcome.is_ok() {
                    resume(pid, None);
                }
            }
            WaitStatus::PtraceEvent(pid, _, event) => {
                if event == Event::PTRACE_EVENT_EXEC as i32 && self.executed(pid) {
                    return Ok(());
                }
                resume(pid, None);
            }
            // The stop with which a new thread begins is the tracer's affair.
            WaitStatus::Stopped(pid, Signal::SIGSTOP) => resume(pid, None),
            WaitStatus::Stopped(pid, signal) => resume(pid, Some(signal)),
            _ => {}
        }
        Ok(())
    }

    fn thread(&mut self, pid: Pid) -> &mut Thread {
        self.threads.entry(pid).or_default()
    }

    fn ended(&mut self, pid: Pid, code: u8) {
        self.threads.remove(&pid);
        if pid == self.main {
            self.status = ExitCode::from(code);
        }
    }

    /// Gives whether the process is let go.
    fn executed(&mut self, pid: Pid) -> bool {
        let first = memory::arguments(pid).into_iter().nth(1).unwrap_or_default();
        if NOT_THE_AGENT.contains(&first.as_str()) && pid != self.main {
            self.threads.remove(&pid);
            return ptrace::detach(pid, None).is_ok();
        }
        if self.orders.clock.is_some()
            && let Ok(registers) = ptrace::getregs(pid)
        {
            let _ = clock::hide_page(pid, registers.rsp); // a clock that stays right fails the test that wanted a wrong one
        }
        false
    }

    fn enter(&mut self, pid: Pid) -> nix::Result<()> {
        let mut registers = ptrace::getregs(pid)?;
        let mut state = InCall::Plain;
        let is_clock =
            registers.orig_rax == libc::SYS_clock_gettime as u64 && clock::is_of_day(registers.rdi);
        if is_clock && self.orders.clock.is_some() {
            state = InCall::Clock(registers.rsi);
        }
        let purpose = match &self.orders.act {
            Act::Nothing => None,
            Act::ListWrites | Act::KillBefore(_) => Some(Purpose::Kill),
            Act::ListFor(fault) | Act::Fail { fault, .. } => Some(Purpose::Fail(*fault)),
        };
        let call = purpose.and_then(|purpose| {
            calls::entered(pid, &registers, &self.orders.folder).filter(|call| call.is_for(purpose))
        });
        if let Some(call) = call
            && let Some(fault) = self.count(&call)
        {
            match calls::errno(fault) {
                Some(errno) => {
                    // No call has this number: nothing happens, and the result can be set when it returns.
                    registers.orig_rax = u64::MAX;
                    state = InCall::Failed(errno);
                }
                None => registers.rdx = registers.rdx.div_ceil(2),
            }
            ptrace::setregs(pid, registers)?;
        }
        self.thread(pid).call = Some(state);
        Ok(())
    }

    fn leave(&mut self, pid: Pid) -> nix::Result<()> {
        match self.thread(pid).call.take() {
            Some(InCall::Failed(errno)) => {
                let mut registers = ptrace::getregs(pid)?;
                registers.rax = i64::from(-errno).cast_unsigned();
                ptrace::setregs(pid, registers)
            }
            Some(InCall::Clock(address)) => {
                if let Some(file) = &self.orders.clock {
                    let _ = clock::shift(pid, address, file); // the thread may be gone
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Counts a call, and says how it is to fail.
    fn count(&mut self, call: &Call) -> Option<Fault> {
        self.counted += 1;
        let number = self.counted;
        match self.orders.act.clone() {
            Act::Nothing => None,
            Act::ListWrites | Act::ListFor(_) => {
                self.tell(call);
                None
            }
            Act::KillBefore(ordinal) => {
                if number == ordinal {
                    self.tell(call);
                    self.kill_all();
                }
                None
            }
            Act::Fail { fault, ordinal, until } => {
                let is_now = match until {
                    Some(file) => number >= ordinal && !file.exists(),
                    None => number == ordinal,
                };
                if is_now && !std::mem::replace(&mut self.has_failed, true) {
                    self.tell(call);
                }
                is_now.then_some(fault)
            }
        }
    }

    fn kill_all(&mut self) {
        self.has_killed = true;
        let threads = self.threads.keys().copied().chain([self.main]);
        for thread in threads {
            let _ = kill(thread, Signal::SIGKILL); // it may have ended
        }
    }

    fn tell(&mut self, call: &Call) {
        let _ = writeln!(self.report, "{} {} {}", self.counted, call.name, call.target);
    }
}

fn resume(pid: Pid, signal: Option<Signal>) {
    // One that was killed meanwhile cannot be resumed, and reports its end.
    let _ = ptrace::syscall(pid, signal);
}
