/* The barrier of ../revocation.md: every interleaving of keepers, verifiers, changes and the clock.
 *
 * A verification whose invocation comes after the return of a change that takes the key away must
 * not accept it. Any process may be held up for any time between any two steps: that is how a pause,
 * a partition or a lost message looks from outside. A keeper's process may die and another begin.
 * -DF<n> seeds one fault; each of them must be found (proofs/model.py).
 */
#ifndef HOLDERS
#define HOLDERS 1
#endif
#ifndef CHANGES
#define CHANGES 2              /* each takes away another key; the last one's is watched */
#endif
#ifndef TICKS
#define TICKS 4
#endif
#ifndef RESTARTS
#define RESTARTS 1             /* per holder */
#endif
#ifndef LATE
#define LATE 0                 /* 1: a join that was given up on may take effect later */
#endif
#define LEASE 2
#ifdef F2
#define GUARD 1                /* a change waits less than a lease lasts */
#else
#define GUARD 2                /* clocks run alike here; the simulation lets them differ */
#endif
#define WATCHED (CHANGES - 1)
#define NONE 0                 /* epochs and incarnations are kept plus one */

byte now = 0;

/* the database */
byte epoch = 0;
bool taken[CHANGES];
byte taken_at[CHANGES];        /* the log: which epoch took the key away */
bool alive[HOLDERS];  byte acknowledged[HOLDERS];  byte incarnation[HOLDERS];
bool ghost_alive[HOLDERS];     /* the row of a join that nobody waited for, of no incarnation */

/* the pages, and what is remembered of the watched key */
byte deadline[HOLDERS];  byte applied[HOLDERS];  byte touched[HOLDERS];
bool remembered[HOLDERS];  byte tag[HOLDERS];

/* not in the product */
bool returned[CHANGES];

active proctype time() { do :: now < TICKS -> now++ :: else -> break od }

inline join(h) {
#ifdef F11
  /* joining counts as having acknowledged what is not applied */
  d_step { alive[h] = 1; incarnation[h]++; acknowledged[h] = epoch + 1 }
#else
  d_step { alive[h] = 1; incarnation[h]++; acknowledged[h] = NONE }
#endif
}

proctype keeper(byte h) {
  byte asked_at, seen, mine, restarts = 0;  bool lives, proved;
again:
#ifndef F12
  deadline[h] = 0;             /* F12: a new incarnation keeps the lease of the old one */
#endif
  join(h);
  mine = incarnation[h];
  do
  :: now >= TICKS -> break
  :: now < TICKS ->
#ifdef F7
     d_step { lives = alive[h] && incarnation[h] == mine; seen = epoch; proved = acknowledged[h] == epoch + 1 }
     asked_at = now;           /* F7: the clock is read after the answer */
#else
     asked_at = now;           /* before the question leaves */
     d_step { lives = alive[h] && incarnation[h] == mine; seen = epoch; proved = acknowledged[h] == epoch + 1 }
#endif
#ifdef F6
     proved = 1;               /* F6: the acknowledgement need not be stored yet */
#endif
     if
     :: !lives -> goto again
#ifdef F11
     :: lives && proved ->
#else
     :: lives && proved && applied[h] == seen ->
#endif
#ifdef F8
        deadline[h] = now + LEASE          /* F8: counted from when it is written */
#else
        deadline[h] = asked_at + LEASE
#endif
     :: else ->
#ifdef F5
        deadline[h] = asked_at + LEASE;    /* F5: extended before the change is applied */
#endif
#ifdef F13
        atomic { if :: alive[h] && incarnation[h] == mine -> acknowledged[h] = seen + 1 :: else fi };
#endif
#ifdef F14
        applied[h] = seen;     /* F14: the number is stored before what was touched */
#endif
        if
        :: taken_at[WATCHED] > applied[h] && taken_at[WATCHED] <= seen -> touched[h] = taken_at[WATCHED]
#ifdef F14
        :: taken_at[WATCHED] != 0 && taken_at[WATCHED] <= seen -> touched[h] = taken_at[WATCHED]
#endif
        :: else
        fi;
        applied[h] = seen;
#ifndef F13
        /* F13: acknowledged before it is applied */
        atomic { if :: alive[h] && incarnation[h] == mine && acknowledged[h] < seen + 1 -> acknowledged[h] = seen + 1 :: else fi }
#endif
     fi;
     d_step { asked_at = 0; seen = 0; lives = 0; proved = 0 }
  :: restarts < RESTARTS -> restarts++; goto again      /* a failed turn, or dead to the database */
#if LATE
  :: restarts < RESTARTS ->    /* a join fails, another succeeds; the first one takes effect later */
     restarts++;
     deadline[h] = 0; join(h); mine = incarnation[h];
     run late_join(h)
#endif
#ifdef F15
  :: restarts < RESTARTS ->    /* F15: who stops says so first and gives its lease up then */
     restarts++; alive[h] = 0; deadline[h] = 0; break
#else
  :: restarts < RESTARTS -> restarts++; deadline[h] = 0; alive[h] = 0; break
#endif
  od
}

#if LATE
proctype late_join(byte h) {
#ifdef F16
  join(h)                      /* F16: it takes the place of the row that is there by now */
#else
  ghost_alive[h] = 1           /* a row beside it, which nobody keeps */
#endif
}
#endif

proctype verifier(byte h) {
  byte until, number;  bool was, good;
  do
  :: now >= TICKS -> break
  :: now < TICKS ->
     was = returned[WATCHED];
     if
     :: remembered[h] ->
#ifdef F9
        number = applied[h];   /* F9: the number is read before the lease */
        until = deadline[h]; good = now < until;
#else
        until = deadline[h]; good = now < until;
        number = applied[h];
#endif
        if
        :: good && tag[h] == number -> assert(!was)
        :: good && tag[h] != number ->
#ifdef F17
           number = applied[h];                          /* F17: moved to a number read after the look */
           good = touched[h] <= tag[h];
           number = applied[h];
#else
           good = touched[h] <= tag[h];
#endif
           if
           :: good -> assert(!was); tag[h] = number      /* moved to what was looked at */
           :: else -> remembered[h] = 0; goto ask
           fi
        :: else -> goto ask
        fi
     :: !remembered[h] ->
ask:
#ifdef F10
        good = !taken[WATCHED];
        number = applied[h];   /* F10: the tag is read after the data */
#else
        number = applied[h];
        good = !taken[WATCHED];
#endif
        if
        :: good -> assert(!was); d_step { remembered[h] = 1; tag[h] = number }
        :: else -> remembered[h] = 0
        fi
     fi;
     d_step { was = 0; good = 0; until = 0; number = 0 }
  od
}

#define BEHIND(h, e) (alive[h] && acknowledged[h] < e + 1)
#if HOLDERS > 1
#define NOBODY(e) (!BEHIND(0, e) && !BEHIND(1, e) && !ghost_alive[0] && !ghost_alive[1])
#else
#define NOBODY(e) (!BEHIND(0, e) && !ghost_alive[0])
#endif

inline fence(h, e) {
#ifdef F18
  atomic { if :: late[h] -> alive[h] = 0 :: else fi };   /* F18: whoever was behind when it was asked */
#else
  atomic { if :: late[h] && BEHIND(h, e) -> alive[h] = 0 :: else fi };
#endif
  ghost_alive[h] = 0
}

proctype change(byte k) {
  byte mine, began;  bool late[HOLDERS];
#ifdef F3
  began = now;                 /* F3: the wait is counted from before the commit */
#endif
  d_step { taken[k] = 1; epoch++; mine = epoch; taken_at[k] = epoch }
#ifndef F3
  began = now;
#endif
#ifndef F1
  if
  :: NOBODY(mine) -> skip
  :: now >= began + GUARD ->
     d_step {
       late[0] = BEHIND(0, mine);
#if HOLDERS > 1
       late[1] = BEHIND(1, mine);
#endif
     }
     fence(0, mine);
#if HOLDERS > 1
     fence(1, mine);
#endif
  fi;
#endif
  d_step { mine = 0; began = 0; late[0] = 0; returned[k] = 1 }
}

#ifdef F4
proctype repeat(byte k) { taken[k] -> returned[k] = 1 }  /* F4: "already deleted" at once */
#endif

init {
  byte i;
  atomic {
    i = 0; do :: i < HOLDERS -> run keeper(i); run verifier(i); i++ :: else -> break od;
    i = 0; do :: i < CHANGES -> run change(i); i++ :: else -> break od;
#ifdef F4
    run repeat(WATCHED)
#endif
  }
}
