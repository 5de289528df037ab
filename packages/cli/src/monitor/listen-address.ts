/** Where the Prometheus endpoint listens: "127.0.0.1:9400", "9400", "[::1]:9400". Without a host, this machine alone. */
import { InvalidArgumentError } from "commander";

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

const loopback = "127.0.0.1";

export function parseListenAddress(text: string): ListenAddress {
  const match = /^(?:(?:\[([^\]]+)\]|([^:[\]]*)):)?(\d{1,5})$/.exec(text.trim());
  const port = Number(match?.[3]);
  if (match && port <= 65535) return { host: match[1] ?? (match[2] || loopback), port };
  throw new InvalidArgumentError("Expected [host:]port, such as 127.0.0.1:9400; the port is at most 65535.");
}

/** Whether only programs on this machine reach it. */
export const isLoopback = ({ host }: ListenAddress): boolean =>
  host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);

export const formatAddress = ({ host, port }: ListenAddress): string =>
  `${host.includes(":") ? `[${host}]` : host}:${port}`;
