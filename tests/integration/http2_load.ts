// Clients of HTTP/2 that behave: many requests at a time on a connection, another connection when this one is told to go. A
// request that the server may have processed and that got no whole answer is a failure.

import http2 from 'node:http2';

/** Requests at a time on a connection. */
export const STREAMS = 10;

export interface Http2Report {
  answered: number;
  goaways: number;
  /** Not processed, so that they may be sent again. */
  unsent: number;
  readonly failures: string[];
}

/** Requests side by side on one connection until it is told to go, then on another, until the port refuses or `stopped`. */
export async function runHttp2Client(
  port: number,
  report: Http2Report,
  stopped: () => boolean = () => false,
): Promise<void> {
  while (!stopped()) {
    const session = http2.connect(`http://127.0.0.1:${port}`);
    const refused = await new Promise<boolean>((resolve) => {
      session.on('connect', () => resolve(false));
      session.on('error', () => resolve(true));
    });
    if (refused) return;
    let going = false;
    session.on('goaway', () => {
      going = true;
      report.goaways++;
    });
    const closed = new Promise((resolve) => session.on('close', resolve));
    const worker = async (): Promise<void> => {
      while (!going && !stopped() && !session.closed && !session.destroyed) await request(session, report);
    };
    await Promise.all(Array.from({ length: STREAMS }, worker));
    session.close();
    await closed;
  }
}

function request(session: http2.ClientHttp2Session, report: Http2Report): Promise<void> {
  return new Promise((resolve) => {
    const stream = session.request({ ':path': '/' });
    let body = '';
    stream.setEncoding('latin1').on('data', (text: string) => (body += text));
    stream.on('error', () => undefined);
    stream.on('close', () => {
      if (body === 'done' && stream.rstCode === 0) report.answered++;
      // node begins no stream after GOAWAY, and says it was refused.
      else if (body === '' && stream.rstCode === http2.constants.NGHTTP2_REFUSED_STREAM) report.unsent++;
      else report.failures.push(`${JSON.stringify(body)} ${stream.rstCode}`);
      resolve();
    });
    stream.end();
  });
}

export const newHttp2Report = (): Http2Report => ({ answered: 0, goaways: 0, unsent: 0, failures: [] });
