// Who hears of cases just now: on call, away, muted, silenced.
import { call } from "./api.js";
import { byId, fill, h } from "./dom.js";
import { date, moment, spaced } from "./words.js";

const BECAUSE = { rotation: "", override: ", by an override", "stand-in": ", standing in" };

const onCall = ({ name, now }) => ["On call", `${spaced(name)}: ${now.person} until ${moment(now.ends_at)}${BECAUSE[now.because] ?? ""}`];
const away = (one) => ["Away", `${one.name} until ${date(one.away_until)}; ${one.stand_in ? `cases go to ${one.stand_in}` : "nobody stands in"}`];
const muted = (one) => ["Muted", `${spaced(one.name)}, until ${moment(one.until)}${one.hard_too ? "" : "; what can’t wait is told"}`];
const silenced = (one) => ["Silenced", `${[one.account, one.rule ? spaced(one.rule) : null].filter(Boolean).join(", ")} until ${moment(one.ends_at)}: ${one.comment}`];

/** Show it; the section stays hidden while there is nothing to say. */
export async function showRota() {
  const [rotations, people, windows, silences] = (await Promise.all(["/v1/on-call?weeks=1", "/v1/people", "/v1/mute-times", "/v1/silences"].map((path) => call(path)))).map((answer) => answer.data);
  const now = new Date();
  const lines = [
    ...rotations.map(onCall),
    ...people.filter((one) => one.is_away).map(away),
    ...windows.filter((one) => one.until).map(muted),
    ...silences.filter((one) => new Date(one.starts_at) <= now).map(silenced),
  ];
  byId("rota").hidden = !lines.length;
  fill(byId("rota"), lines.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}
