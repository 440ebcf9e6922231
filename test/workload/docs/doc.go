// Package docs extracts the shell commands of the README and of the pages below docs/ and examples/, and runs them as a reader does:
// page by page, in order, each in the terminal that the page names, in bash on a pseudo terminal.
//
//	page.md ── Read ──▶ steps ── Play ──▶ terminals (bash) ──▶ what the page says that they show
//
// A block says in its info string, which no renderer shows, what becomes of it:
//
//	```sh terminal 1              run there; the last command succeeds
//	```sh terminals 1, 2          the same in several
//	```sh terminal 1, status 1    it ends with that status
//	```sh terminal 1, stays       it runs on
//	```sh terminal 1, script      it is the content of a script, which sh runs there
//	```console terminal 1         a "$ " before each command, and below it what that shows
//	```yaml file web.yaml         is appended to that file, as a further document
//	```text shows                 the terminal of the last command shows these lines, in this order; … stands for anything
//	```text terminal 2 shows      the same of another terminal
//
// What has no block stands in comments, which no renderer shows either, each with a line of its own:
//
//	<!-- terminal 2: Ctrl-C -->, <!-- terminal 2 ends -->, <!-- terminal 1 shows: lost, elected -->
//
// A command that nothing here can run stands in [Elsewhere], with the reason. A shell block that is neither marked nor listed is a
// fault, and so is a block that does not name its language.
package docs
