/** Stands before an HTTP server that keeps no log, and notes what it is asked. */
import http from 'node:http';
import type { AddressInfo } from 'node:net';

export interface CountingProxy {
  readonly url: string;
  /** "METHOD path" of those that were begun. */
  readonly requests: readonly string[];
  close(): void;
}

export async function startCountingProxy(target: string): Promise<CountingProxy> {
  const { hostname, port } = new URL(target);
  const requests: string[] = [];
  const server = http.createServer((request, response) => {
    const { method, url: path, rawHeaders: headers } = request;
    requests.push(`${method} ${path}`);
    // A connection for each: one that was used before may be ended by the server just when the next request is sent on it.
    const to = { hostname, port, method, path, headers, agent: false };
    const passed = http.request(to, (answer) => {
      response.writeHead(answer.statusCode!, answer.rawHeaders);
      answer.pipe(response);
    });
    passed.on('error', () => response.destroy());
    request.pipe(passed);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    requests,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
