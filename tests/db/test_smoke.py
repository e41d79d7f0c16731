from sqlalchemy import text
async def test_one(db):
    assert await db.run(lambda c: c.execute(text("select 1")).scalar()) == 1
    async def f(i): return await db.gather(g, i)
    import asyncio
    assert await asyncio.gather(*(f(i) for i in range(10))) == list(range(10))
def g(conn, items): return items
