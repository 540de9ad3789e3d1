import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

/** Where cargo puts the programs that are tested. */
const PROGRAMS = process.env["KERNEX_PROGRAMS"] ?? resolve(import.meta.dirname, "../../target/debug");
const START_MS = 120_000;

/** A control plane with a data folder of its own, and the agents that call in to it. */
export class ControlPlane {
  readonly folder = mkdtempSync(join(tmpdir(), "kernex-dashboard-"));
  url = "";
  /** The one-time link for the first admin. */
  setupLink = "";
  private server: ChildProcess | null = null;
  private readonly agents: ChildProcess[] = [];
  private port = Number(process.env["KERNEX_PORT"] ?? 0);

  async start(): Promise<void> {
    const listen = `127.0.0.1:${this.port}`;
    const server = spawn(
      join(PROGRAMS, "kernex-server"),
      ["serve", "--listen", listen, "--data-dir", join(this.folder, "server"), "--log", "warn"],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    this.server = server;
    const lines = createInterface({ input: server.stdout });
    const deadline = setTimeout(() => server.kill("SIGKILL"), START_MS);
    for await (const line of lines) {
      const address = /^listening on (http:\/\/\S+)$/.exec(line)?.[1];
      if (address !== undefined) {
        this.port = Number(new URL(address).port);
        this.url = `http://localhost:${this.port}`;
        if (this.setupLink !== "") break;
      }
      const link = /^first admin: (\S+)$/.exec(line)?.[1];
      if (link !== undefined) {
        this.setupLink = link.replace(/^http:\/\/[^/]+/, this.url);
        break;
      }
    }
    clearTimeout(deadline);
    if (this.url === "") throw new Error("the control plane did not start");
  }

  /** Ends the server and leaves its data. */
  async stop(): Promise<void> {
    const server = this.server;
    if (server === null || server.exitCode !== null) return;
    server.kill("SIGTERM");
    await once(server, "exit");
    this.server = null;
  }

  /** A real agent. */
  agent(name: string, ...args: string[]): ChildProcess {
    const folder = join(this.folder, name);
    const agent = spawn(
      join(PROGRAMS, "kernex-agent"),
      [
        "run",
        "--control-plane",
        this.url,
        "--data-dir",
        folder,
        "--key-algorithm",
        "ed25519",
        "--polling-interval",
        "1",
        ...args,
      ],
      { stdio: "ignore" },
    );
    this.agents.push(agent);
    return agent;
  }

  async dispose(): Promise<void> {
    for (const agent of this.agents) {
      if (agent.exitCode !== null || agent.signalCode !== null) continue;
      agent.kill("SIGTERM");
      await Promise.race([once(agent, "exit"), new Promise((done) => setTimeout(done, 5_000))]);
      if (agent.exitCode === null) agent.kill("SIGKILL");
    }
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
