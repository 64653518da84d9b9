/** One try at an answer, and how it ended. */

import { goOn, resume, retry } from "../actions";
import { copyText } from "../code";
import { announce } from "../announce";
import { isLive, liveOf } from "../follower";
import { linkable } from "../markdown";
import type { Panel, Reply, Source, ToolCall } from "../model";
import { revision } from "../store";
import { advice, badge, ending, facts, failure } from "../reply";
import { Icon, IconButton } from "./icons";
import { Markdown } from "./markdown";

/** `follow`: whether something can be asked after it now. */
export function ReplyView({ panel, reply, follow }: { panel: Panel; reply: Reply; follow: boolean }) {
  void revision.value;
  const { frame, connection } = liveOf(reply);
  void frame.value; // draws again with each frame
  const done = !isLive(reply);
  const state = ending(reply);
  const away = !done && (connection.value === "reconnecting" || connection.value === "offline");
  const silent = !done && reply.content === "";
  return (
    <article class="reply" data-testid="reply" data-state={done ? state : "streaming"} aria-busy={!done}>
      {reply.note && (
        <p class="note">
          {reply.note.reason === "fallback"
            ? `${reply.note.error} Now asking ${reply.note.provider}.`
            : `The stream broke, and ${reply.note.provider} was asked to go on.`}
        </p>
      )}
      {reply.reasoning && (
        <details class="reasoning" data-testid="reasoning">
          <summary>{silent ? "Thinking…" : "Reasoning"}</summary>
          <div class="reasoning-text">{reply.reasoning}</div>
        </details>
      )}
      {silent && !reply.reasoning && <Waiting />}
      {reply.content && <Markdown text={reply.content} done={done} />}
      {reply.refusal && <p class="refusal">{reply.refusal}</p>}
      {reply.toolCalls.map((call, index) => (
        <ToolCard key={index} call={call} />
      ))}
      {reply.sources.length > 0 && <Sources sources={reply.sources} />}
      {away && <p class="note">{connection.value === "offline" ? "No network: waiting for it." : "Connection lost: trying again…"}</p>}
      {done && <Outcome panel={panel} reply={reply} follow={follow} />}
    </article>
  );
}

function Waiting() {
  return (
    <div class="waiting" role="img" aria-label="Waiting for the first word">
      <span />
      <span />
      <span />
    </div>
  );
}

function Outcome({ panel, reply, follow }: { panel: Panel; reply: Reply; follow: boolean }) {
  void revision.value;
  const said = badge(reply);
  const state = ending(reply);
  const error = failure(reply);
  const cut = state === "truncated" || state === "paused";
  const broken = state === "broken" || state === "stopped";
  return (
    <>
      {error && (
        <div class="error-card" data-testid="error-card" data-code={error.code}>
          <Icon name="alert" />
          <div>
            <p class="error-text">{error.message}</p>
            <p class="error-more">
              <code>{error.code}</code>
              {error.retryAfter !== null && ` The provider asks to wait ${Math.ceil(error.retryAfter)} s.`}
              {advice(error.code) && ` ${advice(error.code)}`}
            </p>
          </div>
        </div>
      )}
      {(said || (follow && (cut || broken))) && (
        <div class="outcome">
          {said && (
            <span class="badge" data-testid="badge" data-state={state}>
              {said}
            </span>
          )}
          {follow && cut && (
            <button type="button" class="button small" data-testid="continue" onClick={() => goOn(panel)}>
              Continue
            </button>
          )}
          {follow && broken && reply.content && (
            <button type="button" class="button small" data-testid="resume" onClick={() => resume(panel)}>
              Resume
            </button>
          )}
          {follow && (broken || state === "filtered" || state === "unknown") && (
            <button type="button" class="button small" data-testid="retry" onClick={() => retry(panel)}>
              Retry
            </button>
          )}
        </div>
      )}
      <Usage reply={reply} />
    </>
  );
}

function Usage({ reply }: { reply: Reply }) {
  void revision.value;
  const copy = async (): Promise<void> => {
    announce((await copyText(reply.content)) ? "Reply copied" : "The browser does not allow copying");
  };
  return (
    <footer class="usage" data-testid="usage">
      <dl>
        <div class="usage-model">
          <dt class="off-screen">From</dt>
          <dd>
            {reply.end?.provider ?? reply.provider} · {reply.end?.model || reply.model || "default model"}
          </dd>
        </div>
        {facts(reply).map(({ label, value, title }) => (
          <div key={label} {...(title && { title })}>
            <dt>{label}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {reply.content && <IconButton icon="copy" label="Copy the reply" class="small" onClick={() => void copy()} />}
    </footer>
  );
}

function ToolCard({ call }: { call: ToolCall }) {
  const pretty =
    call.arguments_json !== null && call.arguments_json !== undefined
      ? JSON.stringify(call.arguments_json, null, 2)
      : call.arguments;
  return (
    <details class="tool" data-testid="tool-call" open={pretty.length < 400}>
      <summary>
        <Icon name="tool" />
        <span class="tool-name">{call.name || "a tool"}</span>
        {!call.complete && <span class="badge">incomplete</span>}
      </summary>
      <pre tabIndex={0} aria-label={`Arguments for ${call.name}`} role="group">
        {pretty}
      </pre>
    </details>
  );
}

function Sources({ sources }: { sources: readonly Source[] }) {
  return (
    <section class="sources" data-testid="sources" aria-label="Sources">
      <h3>Sources</h3>
      <ol>
        {sources.map((source, index) => {
          const href = linkable(source.url);
          const name = source.title || source.url || source.text || "Unnamed source";
          return (
            <li key={index}>
              {href ? (
                <a href={href} target="_blank" rel="noopener noreferrer nofollow">
                  {name}
                </a>
              ) : (
                name
              )}
              {href && source.title && <span class="host">{new URL(href).host}</span>}
              {source.text && source.text !== name && <p>{source.text}</p>}
            </li>
          );
        })}
      </ol>
    </section>
  );
}
