/** One reply, and how it ended. */

import { continueReply, resumeReply, retry } from "../actions";
import { announce } from "../announce";
import { copyText } from "../code";
import { connectionOf, isLive, latestOf } from "../follower";
import { safeLink } from "../markdown";
import type { Reply, Source, ToolCall } from "../model";
import { badgeWords, endingOf, errorOf, usageFacts } from "../reply";
import { Icon, IconButton } from "./icons";
import { Markdown } from "./markdown";

/** `saved`: the reply as its conversation holds it. `follow`: whether the model can be asked to continue now. */
export function ReplyView(props: { panelId: string; saved: Reply; follow: boolean }) {
  const reply = latestOf(props.saved);
  const connection = connectionOf(reply);
  const done = !isLive(reply);
  const ending = endingOf(reply);
  const disconnected = !done && (connection === "reconnecting" || connection === "offline");
  const silent = !done && reply.content === "";
  return (
    <article class="reply" data-testid="reply" data-state={done ? ending : "streaming"} aria-busy={!done}>
      {reply.note && (
        <p class="note">
          {reply.note.reason === "fallback"
            ? `${reply.note.error} Now ${reply.note.provider} is asked instead.`
            : `The stream broke, and ${reply.note.provider} was asked to continue.`}
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
        // biome-ignore lint/suspicious/noArrayIndexKey: the list only grows
        <ToolCard key={index} call={call} />
      ))}
      {reply.sources.length > 0 && <Sources sources={reply.sources} />}
      {disconnected && (
        <p class="note">
          {connection === "offline" ? "No network. Waiting for it…" : "Connection lost: trying again…"}
        </p>
      )}
      {done && <Outcome panelId={props.panelId} reply={reply} follow={props.follow} />}
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

function Outcome({ panelId, reply, follow }: { panelId: string; reply: Reply; follow: boolean }) {
  const words = badgeWords(reply);
  const ending = endingOf(reply);
  const error = errorOf(reply);
  const cut = ending === "truncated" || ending === "paused";
  const broken = ending === "broken" || ending === "stopped";
  return (
    <>
      {error && (
        <div class="error-card" data-testid="error-card" data-code={error.code}>
          <Icon name="alert" />
          <div>
            <p class="error-label">{error.label}</p>
            <p class="error-text">{error.message}</p>
            <p class="error-more">
              {error.advice && `${error.advice} `}
              {error.retryAfter !== null && `The provider asks to wait ${Math.ceil(error.retryAfter)} s. `}
              <code>{error.code}</code>
            </p>
          </div>
        </div>
      )}
      {(words || (follow && (cut || broken))) && (
        <div class="outcome">
          {words && (
            <span class="badge" data-testid="badge" data-state={ending}>
              {words}
            </span>
          )}
          {follow && cut && (
            <button type="button" class="button small" data-testid="continue" onClick={() => continueReply(panelId)}>
              Continue
            </button>
          )}
          {follow && broken && reply.content && (
            <button type="button" class="button small" data-testid="resume" onClick={() => resumeReply(panelId)}>
              Resume
            </button>
          )}
          {follow && (broken || ending === "filtered" || ending === "unknown") && (
            <button type="button" class="button small" data-testid="retry" onClick={() => retry(panelId)}>
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
        {usageFacts(reply).map(({ label, value, title }) => (
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
          const href = safeLink(source.url);
          const name = source.title || source.url || source.text || "Unnamed source";
          return (
            // biome-ignore lint/suspicious/noArrayIndexKey: the list only grows
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
