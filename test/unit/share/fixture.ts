/** A share on a folder of its own, reached over a unix socket by a plain node:http client. */
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import {
  createShare,
  listenHttp,
  type Share,
  type ShareOptions,
} from '../../../src/share/share.js';
import { loadNativeBinding } from '../../../src/native/binding.js';
import { onCleanup } from '../../support/cleanup.js';
import { makeTempDir } from '../../support/temp-dir.js';
import { parseXml, type XmlElement } from '../../../src/share/xml-reader.js';

export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
  readonly text: string;
}

export interface RequestOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

export interface TestShare {
  readonly share: Share;
  /** The shared folder; its parent is a private temporary folder. */
  readonly dir: string;
  /** Beside the shared folder, outside of it. */
  readonly outside: string;
  readonly socketPath: string;
  /** A path inside of the shared folder. */
  at(...names: string[]): string;
  request(method: string, target: string, options?: RequestOptions): Promise<Answer>;
  /** A bare connection. */
  connect(): Promise<net.Socket>;
  close(): Promise<void>;
}

export async function startShare(options: Partial<ShareOptions> = {}): Promise<TestShare> {
  const base = makeTempDir('davport-share-');
  const dir = options.root ?? path.join(base, 'root');
  const outside = path.join(base, 'outside');
  for (const folder of [dir, outside]) fs.mkdirSync(folder, { recursive: true });
  const binding = loadNativeBinding();
  const attributes = binding instanceof Error ? undefined : binding;
  const share = await createShare({ root: dir, attributes, watches: attributes, ...options });
  const socketPath = path.join(base, 'http.sock');
  const listener = await listenHttp(share, { path: socketPath });
  const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
  const close = async (): Promise<void> => {
    agent.destroy();
    await listener.close();
    await share.close();
  };
  onCleanup({ run: close, runSync: () => undefined });
  return {
    share,
    dir,
    outside,
    socketPath,
    at: (...names) => path.join(dir, ...names),
    request: (method, target, given = {}) => send({ agent, socketPath }, method, target, given),
    connect: () => connectTo(socketPath),
    close,
  };
}

/** `target` goes out as it is: node:http neither resolves dots nor encodes. */
export function send(
  to: http.RequestOptions,
  method: string,
  target: string,
  { headers = {}, body }: RequestOptions,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) };
    const request = http.request({
      ...to,
      method,
      path: target,
      headers: { ...length, ...headers },
      timeout: 20_000,
    });
    request.on('timeout', () => request.destroy(new Error(`${method} ${target}: no answer`)));
    request.on('error', reject);
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const all = Buffer.concat(chunks);
        const { statusCode = 0, headers: fields } = response;
        resolve({ status: statusCode, headers: fields, body: all, text: all.toString() });
      });
    });
    request.end(body);
  });
}

export async function connectTo(socketPath: string): Promise<net.Socket> {
  const socket = net.connect(socketPath);
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  return socket;
}

/** Everything until the connection ends. */
export async function readToEnd(socket: net.Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on('error', () => undefined);
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  await new Promise((resolve) => socket.once('close', resolve));
  return Buffer.concat(chunks).toString('latin1');
}

export interface Told {
  readonly href: string;
  /** Text of each property found, by its local name; markup of children as `<name>`. */
  readonly found: Readonly<Record<string, string>>;
  /** Status of each property that wasn't. */
  readonly other: Readonly<Record<string, number>>;
}

/** The responses of a multistatus; the document must be well-formed. */
export function readMultistatus(answer: Answer): Told[] {
  return elements(parseXml(answer.body)).map((response) => {
    const found: Record<string, string> = {};
    const other: Record<string, number> = {};
    for (const propstat of elements(response).filter(({ name }) => name === 'propstat')) {
      const status = Number(/ (\d{3}) /.exec(textIn(child(propstat, 'status')))![1]);
      for (const property of elements(child(propstat, 'prop'))) {
        if (status === 200) found[property.name] = textIn(property);
        else other[property.name] = status;
      }
    }
    return { href: textIn(child(response, 'href')), found, other };
  });
}

function elements(parent: XmlElement): XmlElement[] {
  return parent.children.filter((node) => typeof node === 'object');
}

function child(parent: XmlElement, name: string): XmlElement {
  return elements(parent).find((element) => element.name === name)!;
}

function textIn(element: XmlElement): string {
  return element.children
    .map((node) => (typeof node === 'string' ? node : `<${node.name}>${textIn(node)}`))
    .join('');
}

export const POSIX_BODY =
  '<propfind xmlns="DAV:"><prop><resourcetype/><getcontentlength/><getetag/>' +
  '<posix xmlns="urn:davport:ns"/></prop></propfind>';

export function setPosix(text: string): string {
  return (
    '<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop>' +
    `<posix xmlns="urn:davport:ns">${text}</posix></D:prop></D:set></D:propertyupdate>`
  );
}
