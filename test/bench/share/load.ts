/** The load generator: a process of its own that does what its parent tells it, one job at a time. */
import { openLanes, type Lane, type Target } from './wires.js';

export interface Job {
  readonly kind: 'get' | 'put' | 'download' | 'upload';
  readonly target: Target;
  readonly clients: number;
  /** Path of the file; for `put`, of the first of many. */
  readonly path: string;
  /** `put`: that many names are used in turns; 0: each is new. */
  readonly names: number;
  readonly bytes: number;
  /** Whichever comes first. */
  readonly seconds: number;
  readonly requests: number;
}

export interface Outcome {
  readonly requests: number;
  readonly failures: number;
  readonly seconds: number;
  /** Processor time of the generator. */
  readonly busy: number;
}

const BLOCK = Buffer.alloc(1 << 20, 'davport ');

const head = (line: string, ...fields: string[]): Buffer =>
  Buffer.from([`${line} HTTP/1.1`, 'Host: 127.0.0.1', ...fields, '', ''].join('\r\n'), 'latin1');

class Run {
  readonly #job: Job;
  #begun = 0;
  #done = 0;
  #failures = 0;
  #end = Infinity;

  constructor(job: Job) {
    this.#job = job;
  }

  async measure(): Promise<Outcome> {
    const { lanes, close } = await openLanes(this.#job.target, this.#job.clients);
    try {
      // The first answer of a connection has other work in it.
      await Promise.all(lanes.map((lane) => this.#warmUp(lane)));
      const began = performance.now();
      const cpu = process.cpuUsage();
      this.#end = began + this.#job.seconds * 1000;
      await Promise.all(lanes.map((lane) => this.#lane(lane)));
      const { user, system } = process.cpuUsage(cpu);
      const seconds = (performance.now() - began) / 1000;
      const busy = (user + system) / 1e6;
      return { requests: this.#done, failures: this.#failures, seconds, busy };
    } finally {
      close();
    }
  }

  #warmUp(lane: Lane): Promise<void> {
    return new Promise((resolve) => lane.send([head('OPTIONS /')], () => resolve()));
  }

  #lane(lane: Lane): Promise<void> {
    const { kind, requests } = this.#job;
    return new Promise((resolve, reject) => {
      const next = (): void => {
        if (this.#begun >= requests || performance.now() >= this.#end) {
          resolve();
          return;
        }
        const index = this.#begun++;
        if (kind === 'upload') this.#upload(lane, answered).catch(reject);
        else lane.send(this.#request(index), answered);
      };
      const answered = (status: number): void => {
        this.#done++;
        if (status < 200 || status > 299) this.#failures++;
        if (status === 0) reject(new Error('the connection broke'));
        else next();
      };
      next();
    });
  }

  #request(index: number): Buffer[] {
    const { kind, path, names, bytes } = this.#job;
    if (kind !== 'put') return [head(`GET ${path}`)];
    const name = `${path}${names === 0 ? index : index % names}`;
    return [head(`PUT ${name}`, `Content-Length: ${bytes}`), BLOCK.subarray(0, bytes)];
  }

  async #upload(lane: Lane, answered: (status: number) => void): Promise<void> {
    const { path, bytes } = this.#job;
    lane.send([head(`PUT ${path}`, `Content-Length: ${bytes}`)], answered);
    for (let left = bytes; left > 0; left -= BLOCK.length) {
      if (!lane.more(left < BLOCK.length ? BLOCK.subarray(0, left) : BLOCK)) await lane.drained();
    }
  }
}

process.on('message', (job: Job) => {
  new Run(job).measure().then(
    (outcome) => process.send?.(outcome),
    (error: unknown) => process.send?.({ error: String(error) }),
  );
});
process.on('disconnect', () => process.exit(0));
