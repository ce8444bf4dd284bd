//! The program: what was typed, done, and its outcome as an exit code. See the library.

use std::process::ExitCode;

use staticlet::cli::{self, Command};
use staticlet::commands::{self, Outcome};

fn main() -> ExitCode {
    let outcome = match cli::parse(std::env::args_os().skip(1)) {
        Ok(Command::Run(flags)) => commands::run(&flags),
        Ok(Command::Config(flags, output)) => commands::config(&flags, output),
        Ok(Command::Plan(flags, output)) => commands::plan(&flags, output),
        Ok(Command::Doctor(flags, output)) => commands::doctor(&flags, output),
        Ok(Command::Status(flags)) => commands::status(&flags),
        Ok(Command::Logs(flags)) => commands::logs(&flags),
        Ok(Command::Wait(flags)) => commands::wait(&flags),
        Ok(Command::Restart(flags)) => commands::restart(&flags),
        Ok(Command::Stop(flags)) => commands::stop(&flags),
        Ok(Command::Check(flags)) => commands::check(&flags),
        Ok(Command::Fields(prefix)) => commands::fields(&prefix),
        Ok(Command::Job) => commands::job::run(),
        Ok(Command::Serve { read_only }) => commands::serve::run(read_only),
        Ok(Command::Pause) => commands::pause::run().into(),
        Ok(Command::Version) => {
            commands::print(concat!("staticlet ", env!("CARGO_PKG_VERSION"), "\n"));
            Outcome::Fine
        }
        Ok(Command::Completion(shell)) => {
            commands::print(&cli::completion(shell));
            Outcome::Fine
        }
        Ok(Command::Man) => {
            commands::print(&cli::man(env!("CARGO_PKG_VERSION")));
            Outcome::Fine
        }
        Ok(Command::Help(name)) => {
            commands::print(&cli::help(name));
            Outcome::Fine
        }
        Err(problems) => commands::misuse(&problems),
    };
    ExitCode::from(outcome.code())
}
